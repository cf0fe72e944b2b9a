#!/bin/sh
# exec.sh SCRIPT: runs a script of this folder within Medusa, in Medusa's folder, and fails unless it came to its end.
set -eu

STORE_SCRIPT_DONE=$(mktemp -u)
export STORE_SCRIPT_DONE
PATH="$PWD/node_modules/.bin:$PATH"
medusa exec "$(dirname "$0")/$1"
# medusa ends with 0 even where its configuration is wrong, so the script itself says that it came to its end.
if ! [ -e "$STORE_SCRIPT_DONE" ]; then
	echo "bootstrap: medusa did not run $1 to its end; the lines above say why" >&2
	exit 1
fi
