#!/bin/sh
# Runs what WordPress has scheduled, once a minute. The next request makes up for one that fails.
set -eu
# Apache's images name WINCH as the signal to stop with.
trap 'exit 0' TERM WINCH

while :; do
	# In the background, so that the signal above is heard at once.
	sleep 60 &
	wait $!
	curl -fsS -o /dev/null -m 50 -H "Host: $STORE_HOST" -H "X-Forwarded-Proto: $STORE_SCHEME" \
		http://127.0.0.1:8080/wp-cron.php || true
done
