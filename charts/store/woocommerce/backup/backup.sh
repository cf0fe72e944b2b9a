# How a shop's database is counted and dumped: the part of a backup that is WooCommerce's. The rest is the library's (common.backup.script).

# The server has no TLS, which a client of today insists on otherwise.
connect() {
	printf '[client]\nhost=%s\nuser=%s\npassword="%s"\nskip-ssl\ndefault-character-set=utf8mb4\n' "$DB_HOST" "$DB_USER" "$(cat "$CREDENTIALS/db-password")" >"$MEMORY/client.cnf"
}

ask() { mariadb --defaults-file="$MEMORY/client.cnf" --batch --skip-column-names --execute="$1" "$DB_NAME"; }

# What a restore has to bring back at least: a basket that was never ordered may be gone at any time.
count() {
	drafts="NOT IN ('trash', 'auto-draft', 'wc-checkout-draft')"
	own=$(ask "SELECT option_value FROM wp_options WHERE option_name = 'woocommerce_custom_orders_table_enabled'") || return
	if [ "$own" = yes ]; then table="wp_wc_orders WHERE type = 'shop_order' AND status $drafts"; else table="wp_posts WHERE post_type = 'shop_order' AND post_status $drafts"; fi
	orders=$(ask "SELECT COUNT(*) FROM $table") &&
		products=$(ask "SELECT COUNT(*) FROM wp_posts WHERE post_type = 'product' AND post_status $drafts") &&
		myisam=$(ask "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND engine IN ('MyISAM', 'Aria')")
}

with_dump() {
	"$@" mariadb-dump --defaults-file="$MEMORY/client.cnf" --single-transaction --quick --skip-lock-tables --routines --triggers --events --hex-blob --ignore-table="$DB_NAME.orchestrator_restoring" "$DB_NAME"
}
