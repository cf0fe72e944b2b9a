#!/bin/sh
# stoppable.sh COMMAND [ARGUMENT...]: runs the command and exits with its exit code, and at once when the pod is to stop. The first
# process of a container is ended by no signal that it does not listen to, and php listens to none: the pod would keep its
# volume until it is killed. What is left of the command ends with the container. Apache's images name WINCH as the signal to stop with.
set -u
trap 'echo "bootstrap: stopped; the next start goes on" >&2; exit 143' TERM WINCH INT
"$@" &
wait $!
