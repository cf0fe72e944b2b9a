#!/bin/sh
# Makes a migrated and configured shop of what exists: an empty database, a half-finished set-up, or a shop that
# only needs looking at. It runs in Medusa's folder, before the shop is reachable; run.js starts it, and says whether this
# code has migrated this database before. Settings come from STORE_*, secrets from the environment; no secret is ever an argument.
set -eu

here=$(dirname "$0")
STORE_BOOTSTRAP_DONE=$(mktemp -u)
export STORE_BOOTSTRAP_DONE
PATH="$PWD/node_modules/.bin:$PATH"

# Without the flag it asks about links that were removed or changed, and no terminal is there to answer. What is safe is done; tables of
# links that are gone stay.
[ "${STORE_MIGRATED:-no}" = yes ] || medusa db:migrate --execute-safe-links
medusa exec "$here/bootstrap.js"
# medusa ends with 0 even where its configuration is wrong, so the script itself says that it came to its end.
if ! [ -e "$STORE_BOOTSTRAP_DONE" ]; then
	echo "bootstrap: medusa did not run the set-up to its end; the lines above say why" >&2
	exit 1
fi
echo "bootstrap: done"
