# How a shop's database is counted and dumped: the part of a backup that is Medusa's. The rest is the library's (common.backup.script).

connect() {
	export PGHOST="$DB_HOST" PGUSER="$DB_USER" PGDATABASE="$DB_NAME" PGSSLMODE=disable PGCONNECT_TIMEOUT=30
	PGPASSWORD=$(cat "$CREDENTIALS/db-password")
	export PGPASSWORD
}

ask() { psql --no-psqlrc --no-align --tuples-only --quiet --command="$1"; }

# What a restore has to bring back at least.
count() {
	orders=$(ask 'SELECT COUNT(*) FROM "order" WHERE deleted_at IS NULL AND is_draft_order IS NOT TRUE') &&
		products=$(ask 'SELECT COUNT(*) FROM product WHERE deleted_at IS NULL')
}

# Not compressed: restic compresses, and finds in the next dump what it has only in a stream that is not.
with_dump() {
	"$@" pg_dump --format=custom --compress=0 --no-owner --exclude-table=public.orchestrator_restoring
}
