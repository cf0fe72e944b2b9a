<?php
/**
 * Gives the administrator the password of the environment, which ends all sessions, and the orchestrator's key its new value; run by
 * `wp eval-file` in a running shop. It may be run again at any time.
 */

require __DIR__ . '/access.php';

// WordPress sends the owner mail about another password; the owner is told by whoever asked for it.
add_filter( 'pre_wp_mail', '__return_true' );

$store_admin = store_ensure_admin();
wp_set_password( store_env( 'STORE_ADMIN_PASSWORD' ), $store_admin );
WP_Session_Tokens::get_instance( $store_admin )->destroy_all();
store_ensure_rest_key( $store_admin );
// WordPress does not say when its database has not taken the password.
clean_user_cache( $store_admin );
$store_user = get_userdata( $store_admin );
if ( ! $store_user || ! wp_check_password( store_env( 'STORE_ADMIN_PASSWORD' ), $store_user->user_pass, $store_admin ) ) {
	WP_CLI::error( 'the password of the administrator could not be set' );
}
