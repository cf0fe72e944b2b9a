#!/bin/sh
# start.sh COMMAND [ARGUMENT...]: sets the shop up, then becomes the command that serves it. Nothing listens before: WordPress with an empty database is an open
# installer, and it passes probes as if it were healthy. It is one container, because a node takes a second or two to start another one after the first has ended.
# What only the set-up needs is not in the command's environment, where a plugin could read it.
set -eu
here=$(dirname "$0")

# As in stoppable.sh: the first process of a container is ended by no signal that it does not listen to.
trap 'echo "bootstrap: stopped; the next start goes on" >&2; exit 143' TERM WINCH INT
php "$here/run.php" sh "$here/bootstrap.sh" &
wait $!
trap - TERM WINCH INT
exec env -u STORE_ADMIN_PASSWORD -u STORE_REST_KEY -u STORE_REST_SECRET "$@"
