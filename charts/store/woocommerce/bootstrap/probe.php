<?php
/**
 * Plugin Name: Probe
 * Description: Answers the cluster's probes before the owner's plugins and theme are loaded.
 *
 * WordPress loads this from wp-content/mu-plugins, when its own code and the database work. A plugin that dies afterwards must not take the shop out of the
 * cluster's Service: WordPress shows what is wrong, and the dashboard is where the owner removes the plugin.
 */

if ( str_starts_with( $_SERVER['HTTP_USER_AGENT'] ?? '', 'kube-probe/' ) && '/wp-login.php' === ( $_SERVER['SCRIPT_NAME'] ?? '' ) ) {
	exit( 'ok' );
}
