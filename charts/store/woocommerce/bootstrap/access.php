<?php
/** Who may enter the shop: the administrator and the orchestrator's key. Needs WordPress, and no plugin. */

/** Returns a setting; one that is missing is a mistake in the chart. */
function store_env( string $name ): string {
	$value = getenv( $name );
	if ( false === $value ) {
		WP_CLI::error( "the environment lacks $name" );
	}
	return $value;
}

/**
 * An installation that was cut short may have left no administrator. An existing one keeps its password, and an owner who
 * uses another account does not get ours back.
 */
function store_ensure_admin(): int {
	$known = get_user_by( 'login', store_env( 'STORE_ADMIN_USER' ) );
	$users = $known ? array( $known ) : get_users( array( 'role' => 'administrator' ) );
	if ( $users ) {
		return $users[0]->ID;
	}
	$id = wp_insert_user(
		array(
			'user_login' => store_env( 'STORE_ADMIN_USER' ),
			'user_pass'  => store_env( 'STORE_ADMIN_PASSWORD' ),
			'user_email' => store_env( 'STORE_ADMIN_EMAIL' ),
			'role'       => 'administrator',
		)
	);
	if ( is_wp_error( $id ) || ! $id ) {
		WP_CLI::error( 'the administrator could not be created: ' . ( $id ? $id->get_error_code() : 'the database does not take it' ) );
	}
	return $id;
}

/**
 * The key that the orchestrator uses to look whether the shop answers. It may read only and is made once: one that the owner has
 * revoked does not come back. Where the store's value is another one by now, it takes that.
 */
function store_ensure_rest_key( int $user ): void {
	global $wpdb;
	$table = $wpdb->prefix . 'woocommerce_api_keys';
	$key   = store_env( 'STORE_REST_KEY' );
	$row   = array(
		'user_id'         => $user,
		'description'     => 'orchestrator',
		'permissions'     => 'read',
		'consumer_key'    => hash_hmac( 'sha256', $key, 'wc-api' ), // as wc_api_hash(), which needs WooCommerce
		'consumer_secret' => store_env( 'STORE_REST_SECRET' ),
		'truncated_key'   => substr( $key, -7 ),
	);
	$id    = $wpdb->get_var( $wpdb->prepare( "SELECT key_id FROM $table WHERE description = %s", 'orchestrator' ) );
	if ( ! $id && get_option( 'orchestrator_rest_key' ) ) {
		return;
	}
	$done  = $id ? $wpdb->update( $table, $row, array( 'key_id' => $id ) ) : $wpdb->insert( $table, $row );
	if ( false === $done ) {
		WP_CLI::error( 'the API key could not be stored' );
	}
	update_option( 'orchestrator_rest_key', 'made', false );
}
