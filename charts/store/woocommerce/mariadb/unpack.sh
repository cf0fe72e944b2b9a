#!/bin/sh
# unpack.sh: lays the data directory of MariaDB that the shop's image brings into an empty volume, for start.sh to take. A volume with a database stays as it
# is. What goes wrong here is no reason to have no database: without this, MariaDB's own image makes a data directory, which takes seconds.
set -u
data=${DATA:-/var/lib/mysql}
archive=${NEW_SHOP:-/usr/share/new-shop}/database.tar.gz
part=$data/.prepared.part

unpack() {
	mkdir -m 0700 "$part" && tar -xzf "$archive" -C "$part" --no-same-owner && sync -f "$part" && mv "$part" "$data/.prepared"
}

rm -rf "$part" # a start that was cut short
if [ -n "$(ls -A "$data" | grep -vxF lost+found)" ]; then
	echo "unpack: the volume is not empty"
elif ! [ -f "$archive" ]; then
	echo "unpack: the image brings no data directory"
elif unpack; then
	echo "unpack: done"
else
	echo "unpack: the data directory of the image cannot be unpacked" >&2
	rm -rf "$part"
fi
