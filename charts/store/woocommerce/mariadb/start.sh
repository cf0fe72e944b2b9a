#!/bin/bash
# start.sh mariadbd OPTION...: starts MariaDB by its image's entrypoint. An empty volume first gets the data directory that unpack.sh has laid there, where it
# was made by this very version; otherwise the entrypoint makes one, step by step. The log says which way was taken.
#
# A kill at any time leaves either no folder mysql, and the next start goes on or begins again, or a whole database.
set -eu
shopt -s dotglob nullglob
export LC_ALL=C
data=${DATA:-/var/lib/mysql} run=${RUN:-/run/mysqld}
staged=$data/.prepared
mark=.prepared-by # its text is the version; it stays in a directory that was taken

say() { echo "database: $*"; }
version() { mariadbd --version | sed 's/^.*Ver //'; }

# The folder mysql comes last, in one step: with it there is a database. The mark comes first.
take() {
	local entry
	mv -f "$staged/$mark" "$data/$mark" 2>/dev/null || [[ -e $data/$mark ]]
	for entry in "$staged"/*; do
		if [[ $entry != */mysql ]]; then
			rm -rf "${data:?}/${entry##*/}"
			mv "$entry" "$data/"
		fi
	done
	mv "$staged/mysql" "$data/mysql"
	rm -rf "$staged"
	taken=yes
	say "taken from the shop's image"
}

# Without the folder mysql, a directory with the mark holds only what take() has moved: no server has run on it.
drop() {
	local entry
	rm -rf "$staged"
	[[ -e $data/$mark ]] || return 0
	for entry in "$data"/*; do
		[[ $entry == */lost+found || $entry == */"$mark" ]] || rm -rf "$entry"
	done
	rm -f "${data:?}/$mark"
}

directory() {
	local made
	if [[ -d $data/mysql ]]; then
		rm -rf "$staged"
		return
	fi
	made=$(cat "$staged/$mark" "$data/$mark" 2>/dev/null || true)
	if [[ -n $made && -d $staged/mysql && $made == "$(version)" ]]; then
		take
		return
	fi
	if [[ -n $made ]]; then
		say "initialised step by step: the shop's image brings a directory of $made, and this is $(version)"
	else
		say "initialised step by step: the shop's image has laid nothing here"
	fi
	drop
}

quoted() { # quoted TEXT: as SQL
	local text=${1//\\/\\\\}
	printf "'%s'" "${text//\'/\\\'}"
}

user() { # user NAME PASSWORD
	printf 'CREATE USER IF NOT EXISTS %s IDENTIFIED BY %s;\nALTER USER %s IDENTIFIED BY %s;\n' "$1" "$(quoted "$2")" "$1" "$(quoted "$2")"
}

# What a directory that was taken lacks, since it holds no password. It is ensured at each start, before the first connection is taken, so that no start that was
# cut short leaves a database that the shop cannot enter. The file is in memory, and only this user can read it.
passwords() {
	local health host
	health=$(head -c 24 /dev/urandom | base64 | tr -d '+/=')
	{
		printf 'CREATE DATABASE IF NOT EXISTS `%s`;\n' "$MARIADB_DATABASE"
		user root@localhost "$MARIADB_ROOT_PASSWORD"
		user "\`$MARIADB_USER\`@\`%\`" "$MARIADB_PASSWORD"
		printf 'GRANT ALL ON `%s`.* TO `%s`@`%%`;\n' "$MARIADB_DATABASE" "$MARIADB_USER"
		for host in 127.0.0.1 ::1 localhost; do user "healthcheck@'$host'" "$health"; done
	} >"$run/passwords.sql"
	printf '[mariadb-client]\nport=3306\nsocket=%s/mysqld.sock\nuser=healthcheck\npassword=%s\n' "$run" "$health" >"$data/.my-healthcheck.cnf"
}

directory
if [[ -e $data/$mark ]]; then
	(umask 077 && passwords)
	set -- "$@" --init-file="$run/passwords.sql"
fi
# On a directory of this very version the entrypoint would find nothing to do, for which it starts the server twice to read its options.
[[ -z ${taken:-} ]] || exec "$@"
exec docker-entrypoint.sh "$@"
