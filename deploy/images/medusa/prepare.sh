#!/bin/sh
# Makes in /app/prepared what every new shop and every start would otherwise make again: the database's directory as initdb leaves it, the tables as
# `medusa db:migrate` leaves them, and what V8 compiles. Run as root while the image is built, with the files of the database's image in /database and Valkey's in /valkey. Both run in their own
# root folder, since they need their own C library.
#
# What it leaves holds no secret and no shop: that is checked here, with two shops that are made of it.
set -eu
heaps=$1 # the values of --max-old-space-size that charts start it with: V8 takes its work back only with the same flags

cd /app
prepared=/app/prepared
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/tmp NODE_ENV=production MEDUSA_DISABLE_TELEMETRY=true

# Some base images have no devices in their root folder.
for root in /database /valkey; do
	mkdir -p $root/dev/shm $root/tmp
	chmod 1777 $root/dev/shm $root/tmp
	# A file does where the builder may make no devices: initdb only wants to have something to read from.
	[ -c $root/dev/null ] || mknod -m 666 $root/dev/null c 1 3 || install -m 666 /dev/null $root/dev/null
done

owner=$(awk -F: '$1 == "postgres" { print $3 ":" $4 }' /database/etc/passwd)
for folder in /database/usr/local/bin /database/usr/lib/postgresql/*/bin; do
	if [ -x "$folder/initdb" ]; then programs=${folder#/database}; fi
done
database() { # database PROGRAM [ARGUMENT...]
	program=$1
	shift
	chroot --userspec="$owner" /database /usr/bin/env LANG=en_US.utf8 PGUSER=medusa PGHOST=127.0.0.1 "$programs/$program" "$@"
}
as_shop() { setpriv --reuid=1000 --regid=1000 --clear-groups "$@"; }
use() { # use DATABASE NUMBER: the database, and that of Valkey, of the next shop
	export DATABASE_URL="postgres://medusa@127.0.0.1:5432/$1?sslmode=disable" REDIS_URL="redis://127.0.0.1:6379/$2"
}
# Medusa asks for them; they end with this build.
export JWT_SECRET=of-the-build COOKIE_SECRET=of-the-build

install -d -o "${owner%:*}" -g "${owner#*:}" -m 700 /database/prepared
data=/database/prepared/data
# As the image's entrypoint does it. The pods have what initdb has to find here, too.
database initdb --pgdata=/prepared/data --username=medusa --auth=trust --no-sync >/tmp/initdb.log
for found in 'max_connections = 100' 'shared_buffers = 128MB' 'dynamic_shared_memory_type = posix'; do
	grep -q "^$found" $data/postgresql.conf || { echo "prepare: initdb did not choose $found" >&2; exit 1; }
done
# Without the log, which each database gets anew, with an identity of its own (identify.js).
echo "$(database postgres --version) $(uname -m)" >$data/.prepared-by
tar -C $data --exclude='./pg_wal/0*' --sort=name -cf - . | gzip -9 >"$prepared/database.tar.gz"
rm $data/.prepared-by
database postgres -D /prepared/data -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off >/tmp/database.log 2>&1 &
server=$!
chroot /valkey valkey-server --port 6379 --bind 127.0.0.1 --save "" --dir /tmp >/tmp/valkey.log 2>&1 &
valkey=$!
trap 'kill $server $valkey 2>/dev/null || :' EXIT
for _ in $(seq 300); do
	if database pg_isready -q -d postgres; then break; fi
	sleep 0.2
done

# The bootstrap of a shop does the same where these tables do not fit.
database createdb made
use made 1
as_shop node node_modules/@medusajs/cli/cli.js db:migrate --execute-safe-links
# Lines with a backslash are for psql, and pg_dump writes a random word into them.
database pg_dump --inserts --rows-per-insert=200 --no-owner --no-privileges made | sed '/^\\restrict /d; /^\\unrestrict /d' >"$prepared/schema.sql"
for table in api_key '"user"' auth_identity provider_identity invite store sales_channel customer; do
	count=$(database psql -qAt -d made -c "select count(*) from $table")
	[ "$count" = 0 ] || { echo "prepare: the migrated database has $count rows of $table; shops would share them" >&2; exit 1; }
done
node -p "require('$prepared/fingerprint.js').fingerprint('/app')" >"$prepared/code"

# One shop for each heap: what their starts load is compiled, and what they make is compared.
install -d -o 1000 -g 1000 "$prepared/compiled"
touch "$prepared/loaded.json"
chown 1000 "$prepared/loaded.json"
number=1
for heap in $heaps ${heaps%% *}; do
	number=$((number + 1))
	database createdb "shop$number"
	database psql -q -v ON_ERROR_STOP=1 --single-transaction -d "shop$number" <"$prepared/schema.sql" >/tmp/restore.log
	use "shop$number" $number
	as_shop env NODE_OPTIONS="--max-old-space-size=$heap" node "$prepared/learn.js"
	database psql -qAt -d "shop$number" -c "select token, salt, redacted from api_key" >>/tmp/keys
done
keys=$(sort -u /tmp/keys | wc -l)
[ "$keys" = $((number - 1)) ] || { echo "prepare: $((number - 1)) shops of the prepared tables have $keys keys" >&2; exit 1; }
chown -R 0:0 "$prepared"
rm "$prepared/learn.js" "$prepared/prepare.sh"
