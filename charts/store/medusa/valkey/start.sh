#!/bin/sh
# Starts the server with a password that is in no argument and no file: the configuration comes in through standard input.
# Nothing is ever evicted, because Medusa keeps its queues of jobs here.
set -eu

exec valkey-server - <<END
requirepass $REDIS_PASSWORD
dir /data
appendonly yes
maxmemory-policy noeviction
END
