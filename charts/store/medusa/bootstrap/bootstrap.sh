#!/bin/sh
# Makes a migrated and configured shop of what exists: an empty database, a half-finished set-up, or a shop that
# only needs looking at. It runs in Medusa's folder, before the shop is reachable; run.js starts it, and says whether this
# code has migrated this database before. Settings come from STORE_*, secrets from the environment; no secret is ever an argument.
set -eu

PATH="$PWD/node_modules/.bin:$PATH"

# Without the flag it asks about links that were removed or changed, and no terminal is there to answer. What is safe is done; tables of
# links that are gone stay.
[ "${STORE_MIGRATED:-no}" = yes ] || medusa db:migrate --execute-safe-links
sh "$(dirname "$0")/exec.sh" bootstrap.js
echo "bootstrap: done"
