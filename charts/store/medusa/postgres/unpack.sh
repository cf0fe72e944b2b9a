#!/bin/sh
# unpack.sh: lays the data directory of PostgreSQL that the shop's image brings into an empty volume, for start.sh to take. A volume with a database stays
# as it is. What goes wrong here is no reason to have no database: without this, PostgreSQL's own image makes a data directory, which takes seconds.
set -u
volume=${PGDATA%/*}
prepared=${PREPARED:-/app/prepared}
part=$volume/.prepared.part

unpack() {
	mkdir -m 0700 "$part" && tar -xpzf "$prepared/database.tar.gz" -C "$part" --no-same-owner && node "$prepared/identify.js" "$part" && mv "$part" "$volume/.prepared"
}

rm -rf "$part" # a start that was cut short
if [ -e "$PGDATA" ]; then
	echo "unpack: the volume has a database"
elif [ -d "$volume/.prepared" ]; then
	echo "unpack: done before"
elif ! [ -f "$prepared/database.tar.gz" ]; then
	echo "unpack: the image brings no data directory"
elif unpack; then
	echo "unpack: done"
else
	echo "unpack: the data directory of the image cannot be unpacked" >&2
	rm -rf "$part"
fi
