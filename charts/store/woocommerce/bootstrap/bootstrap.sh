#!/bin/sh
# Makes an installed and configured shop of what exists: an empty database, a half-finished installation, or a shop
# that only needs looking at. It runs in WordPress's folder, before the shop is reachable, whenever code or settings have changed
# since; run.php starts it. Settings come from STORE_*, secrets from the environment; no secret is ever an argument.
set -eu

here=$(dirname "$0")

install_wordpress() {
	wp core is-installed && return
	echo "bootstrap: installing WordPress"
	# --quiet, because the prompt would echo the command with the password into the log. The title is set later, by
	# bootstrap.php, which passes it through no command line.
	printf '%s\n' "$STORE_ADMIN_PASSWORD" | wp core install --quiet --skip-email --prompt=admin_password \
		--url="$STORE_URL" --title=Store --admin_user="$STORE_ADMIN_USER" --admin_email="$STORE_ADMIN_EMAIL"
}

# In the static image the plugin is part of the code; on a volume it is fetched once.
install_woocommerce() {
	wp plugin is-installed woocommerce || wp plugin install woocommerce --version="$WOOCOMMERCE_VERSION"
	wp plugin is-active woocommerce || wp plugin activate woocommerce --quiet
}

# On a volume the owner's updates may have lost it. What comes instead is what the tables are for.
mend_woocommerce() {
	[ ! -e wp-content/plugins/woocommerce/woocommerce.php ] || return 0
	version=$(wp option get woocommerce_version --skip-plugins --skip-themes)
	echo "bootstrap: the code of WooCommerce is not there; fetching $version"
	wp plugin install woocommerce --version="$version" --force --skip-plugins --skip-themes
}

# WooCommerce is active in an installed shop only. From then on the shop is its owner's: what is looked at here needs neither other plugins nor the theme, and
# one that dies must not keep the shop, and the dashboard where it is removed, closed. run.php has asked the database for both, which takes a thousandth of what
# wp takes.
if [ "$BOOTSTRAP_INSTALLED" = yes ]; then
	mend_woocommerce
	set -- --skip-themes
	[ -z "$BOOTSTRAP_PLUGINS" ] || set -- "$@" --skip-plugins="$BOOTSTRAP_PLUGINS"
else
	set --
	install_wordpress
	install_woocommerce
fi
wp eval-file "$here/bootstrap.php" "$@"
echo "bootstrap: done"
