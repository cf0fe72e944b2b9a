#!/bin/sh
# Succeeds when the server answers; while it still loads its data it returns an error.
set -eu

[ "$(REDISCLI_AUTH="$REDIS_PASSWORD" valkey-cli ping)" = PONG ]
