#!/bin/sh
# Succeeds when the server answers; while it still loads its data it says something else.
set -eu

[ "$(REDISCLI_AUTH="$REDIS_PASSWORD" valkey-cli ping)" = PONG ]
