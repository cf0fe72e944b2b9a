# How a shop's database is emptied and filled: the part of a restore that is WooCommerce's, beside that of a backup.
DUMP_ENDS='-- Dump completed'

server() { mariadb --defaults-file="$MEMORY/client.cnf" --batch --skip-column-names "$@"; } # without a database: a restore that was killed may have left none

connections="FROM information_schema.processlist WHERE user = '$DB_USER' AND id <> CONNECTION_ID()"
others() { server --execute="SELECT COUNT(*) $connections"; }
# One that ends by itself meanwhile is an error that means nothing.
end_others() {
	for id in $(server --execute="SELECT id $connections"); do server --execute="KILL $id" || true; done
}

# With the database go its tables, views, triggers, routines and events. The user may make it again, for it has all rights on what has this name.
empty() {
	charset=$(server --execute="SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name) FROM information_schema.schemata WHERE schema_name = '$DB_NAME'") &&
		server --execute="CREATE OR REPLACE DATABASE \`$DB_NAME\` $charset; CREATE TABLE \`$DB_NAME\`.orchestrator_restoring (generation varchar(32), done int); INSERT INTO \`$DB_NAME\`.orchestrator_restoring VALUES ('$GENERATION', 0)"
}
done_with() { server --execute="UPDATE \`$DB_NAME\`.orchestrator_restoring SET done = 1"; }
whole() {
	case $(server --execute="SELECT COUNT(*) > 0, SUM(table_name = 'orchestrator_restoring') FROM information_schema.tables WHERE table_schema = '$DB_NAME'" | tr '\t' ' ') in
	'1 0') ;;
	'1 1') [ "$(server --execute="SELECT COUNT(*) FROM \`$DB_NAME\`.orchestrator_restoring WHERE done = 1 AND generation <> '$GENERATION'")" = 1 ] ;;
	*) return 1 ;;
	esac
}

load() { exec mariadb --defaults-file="$MEMORY/client.cnf" --max-allowed-packet=1G "$DB_NAME"; }
refusal() { grep -o 'ERROR [0-9]* ([0-9A-Z]*) at line [0-9]*'; } # what follows quotes the dump
loaded() { :; }
