#!/bin/bash
# start.sh: starts PostgreSQL by its image's entrypoint. An empty volume first gets the data directory that unpack.sh has laid there, where it was made by this
# very version; otherwise the entrypoint makes one, step by step. The log says which way was taken.
#
# A kill at any time leaves either no $PGDATA, and the next start begins again, or a whole database with its user's password.
set -euo pipefail
volume=${PGDATA%/*}
staged=$volume/.prepared
mark=.prepared-by # its text is the version

say() { echo "database: $*"; }
version() { echo "$(postgres --version) $(uname -m)"; }

# statements are what the directory lacks, since it holds no password, and a question whether it has it then.
statements() {
	printf "alter role %s password '%s'\n" "$POSTGRES_USER" "${POSTGRES_PASSWORD//\'/\'\'}"
	printf 'create database %s\n' "$POSTGRES_DB"
	printf "select count(*) from pg_database, pg_authid where datname = '%s' and rolname = '%s' and rolpassword like 'SCRAM-SHA-256%%'\n" "$POSTGRES_DB" "$POSTGRES_USER"
}

# complete gives the directory a log of its own, for the identity that unpack.sh gave it, and the password. The server has no network, and reads the statements,
# which it does not log, from standard input.
complete() {
	pg_resetwal -D "$staged" >/dev/null || return
	(
		source "$(command -v docker-entrypoint.sh)"
		PGDATA=$staged POSTGRES_HOST_AUTH_METHOD='' pg_setup_hba_conf postgres
	) || return
	statements | postgres --single -D "$staged" -c log_min_error_statement=panic postgres 2>/dev/null | grep -F 'count = "1"' >/dev/null || return
	rm "$staged/$mark"
	initdb --sync-only -D "$staged" >/dev/null
}

take() {
	complete && mv "$staged" "$PGDATA" && sync "$volume"
}

directory() {
	local made
	[[ -e $PGDATA ]] && return
	made=$(cat "$staged/$mark" 2>/dev/null || true)
	if [[ -z $made ]]; then
		say "initialised step by step: the shop's image has laid nothing here"
	elif [[ $made != "$(version)" ]]; then
		say "initialised step by step: the shop's image brings a directory of $made, and this is $(version)"
	elif take; then
		say "taken from the shop's image"
	else
		say "initialised step by step: the directory that the shop's image brings cannot be used"
	fi
}

directory
rm -rf "$staged"
exec docker-entrypoint.sh postgres
