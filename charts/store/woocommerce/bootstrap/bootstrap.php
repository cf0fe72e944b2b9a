<?php
/**
 * Configures the installed shop; run by `wp eval-file` after WooCommerce is active.
 *
 * What a shop needs to work is checked whenever code or settings have changed. The settings of the request are applied when they differ from
 * those applied last, so that a restart does not undo what the owner has changed in the dashboard since.
 */

require __DIR__ . '/access.php';
require __DIR__ . '/front.php';

/** A newer image brings newer code to an older database. */
function store_upgrade_database(): void {
	global $wp_db_version;
	if ( (int) get_option( 'db_version' ) !== $wp_db_version ) {
		WP_CLI::runcommand( 'core update-db --quiet', array( 'launch' => true ) );
	}
	if ( WC_Install::needs_db_update() ) {
		WP_CLI::runcommand( 'wc update --quiet', array( 'launch' => true ) );
	}
}

/** WooCommerce would finish its own installation at the first visit of the dashboard. This does it now. */
function store_finish_woocommerce(): void {
	WC_Install::newly_installed();
	if ( wc_get_page_id( 'shop' ) <= 0 ) {
		WC_Install::create_pages();
	}
	if ( 'yes' !== get_option( 'woocommerce_custom_orders_table_enabled' ) ) {
		WP_CLI::warning( 'orders are not stored in their own tables' );
	}
}

/** What WooCommerce gives each shop when it is installed, and tables that were restored from the image lack. */
function store_make_ids(): void {
	WC_Install::maybe_set_store_id();
	WC()->add_woocommerce_inbox_variant();
	WC()->add_woocommerce_remote_variant();
}

/** What the request asks for, as one value to compare. */
function store_settings(): array {
	$settings = array();
	foreach ( array( 'TITLE', 'ADMIN_EMAIL', 'CURRENCY', 'COUNTRY', 'LOCALE', 'SAMPLE_PRODUCT' ) as $name ) {
		$settings[ $name ] = store_env( "STORE_$name" );
	}
	return $settings;
}

/** Applies the settings; those applied last are empty in a new shop. */
function store_apply_settings( array $settings, array $applied, int $admin ): void {
	store_set_address( $settings['ADMIN_EMAIL'], $admin );
	update_option( 'blogname', $settings['TITLE'] );
	update_option( 'woocommerce_currency', $settings['CURRENCY'] );
	// "DE" or "US:CA"; a state that the owner has chosen stays.
	if ( wc_get_base_location()['country'] !== $settings['COUNTRY'] ) {
		update_option( 'woocommerce_default_country', $settings['COUNTRY'] );
	}
	store_set_locale( $settings['LOCALE'] );
	store_open();
	store_make_sellable();
	if ( ! $applied ) {
		store_set_time_zone( $settings['COUNTRY'] );
		store_make_front();
	}
	if ( 'yes' === $settings['SAMPLE_PRODUCT'] ) {
		store_ensure_sample_product();
	} elseif ( 'yes' === ( $applied['SAMPLE_PRODUCT'] ?? 'no' ) ) {
		store_withdraw_sample_product();
	}
}

/**
 * The administrator stays the same under another address. An address that another user of the shop has cannot be set; that is
 * no reason to keep the shop closed.
 */
function store_set_address( string $email, int $admin ): void {
	$done = wp_update_user(
		array(
			'ID'         => $admin,
			'user_email' => $email,
		)
	);
	if ( is_wp_error( $done ) ) {
		WP_CLI::warning( 'the address of the administrator stays as it is: ' . $done->get_error_code() );
		return;
	}
	update_option( 'admin_email', $email );
}

/**
 * A language without its translation leaves the shop in English, which is better than no shop. A variant such as
 * de_DE_formal is as good as its language.
 */
function store_set_locale( string $locale ): void {
	$known = array_merge( array( 'en_US' ), get_available_languages() );
	foreach ( array( $locale, implode( '_', array_slice( explode( '_', $locale ), 0, 2 ) ) ) as $wanted ) {
		if ( in_array( $wanted, $known, true ) ) {
			update_option( 'WPLANG', 'en_US' === $wanted ? '' : $wanted );
			return;
		}
	}
	WP_CLI::warning( "there is no translation for $locale; the shop stays as it is" );
}

/** Orders have the time of the shop's country, where it has one time only. Elsewhere, and later, the owner chooses. */
function store_set_time_zone( string $country ): void {
	$zones = timezone_identifiers_list( DateTimeZone::PER_COUNTRY, $country );
	$hours = array();
	foreach ( $zones as $zone ) {
		$here    = new DateTimeZone( $zone );
		$hours[] = $here->getOffset( new DateTime( 'January 1' ) ) . ' ' . $here->getOffset( new DateTime( 'July 1' ) );
	}
	if ( 1 === count( array_unique( $hours ) ) ) {
		update_option( 'timezone_string', $zones[0] );
	}
}

/** Opens the shop: no coming-soon page, no wizard, readable addresses. */
function store_open(): void {
	update_option( 'woocommerce_coming_soon', 'no' );
	update_option( 'woocommerce_store_pages_only', 'no' );
	update_option( 'woocommerce_onboarding_profile', array( 'skipped' => true ) );
	// Not woocommerce_task_list_hidden: WooCommerce 11 refuses to write it.
	update_option( 'woocommerce_task_list_hidden_lists', array( 'setup', 'extended' ) );
	update_option( 'woocommerce_allow_tracking', 'no' );
	update_option( 'woocommerce_show_marketplace_suggestions', 'no' );
	delete_transient( '_wc_activation_redirect' );
	update_option( 'permalink_structure', '/%postname%/' );
	// Rules made here would lack WooCommerce's, which are registered only with readable addresses on. Without any, the
	// first request makes them.
	delete_option( 'rewrite_rules' );
}

/** An order needs a payment method and a shipping method. What the owner has set up stays. */
function store_make_sellable(): void {
	$gateways = WC()->payment_gateways()->payment_gateways();
	if ( isset( $gateways['cod'] ) ) {
		$gateways['cod']->update_option( 'enabled', 'yes' );
	}
	$everywhere = new WC_Shipping_Zone( 0 );
	if ( ! $everywhere->get_shipping_methods() ) {
		$everywhere->add_shipping_method( 'flat_rate' );
	}
}

const STORE_SAMPLE_NAME = 'Sample T-Shirt';

function store_ensure_sample_product(): void {
	$known = wc_get_product_id_by_sku( 'SAMPLE-1' );
	if ( $known ) {
		store_show_sample_product( wc_get_product( $known ), 'publish' );
		return;
	}
	$product = new WC_Product_Simple();
	$product->set_name( STORE_SAMPLE_NAME );
	$product->set_sku( 'SAMPLE-1' );
	$product->set_regular_price( '20' );
	$product->set_manage_stock( true );
	$product->set_stock_quantity( 25 );
	$product->set_status( 'publish' );
	$product->save();
}

/** The product is not deleted, since it may have been ordered. */
function store_withdraw_sample_product(): void {
	$known = wc_get_product_id_by_sku( 'SAMPLE-1' );
	if ( $known ) {
		store_show_sample_product( wc_get_product( $known ), 'draft' );
	}
}

/** A sample that the owner has turned into a product has another name, and stays as it is. */
function store_show_sample_product( WC_Product $product, string $status ): void {
	if ( STORE_SAMPLE_NAME === $product->get_name() && $status !== $product->get_status() ) {
		$product->set_status( $status );
		$product->save();
	}
}

// WordPress sends the owner mail about another address and each new payment method; here the owner has changed neither.
add_filter( 'pre_wp_mail', '__return_true' );

store_upgrade_database();
$store_admin = store_ensure_admin();
store_finish_woocommerce();
store_make_ids();
store_ensure_rest_key( $store_admin );
$store_wanted  = store_settings();
$store_applied = get_option( 'orchestrator_settings', array() );
if ( $store_applied !== $store_wanted ) {
	store_apply_settings( $store_wanted, $store_applied, $store_admin );
	update_option( 'orchestrator_settings', $store_wanted );
	WP_CLI::log( 'bootstrap: settings applied' );
}
