<?php
/**
 * Plugin Name: Mail
 * Description: Sends the shop's mail by the server that the installation has, or says that there is none.
 *
 * WordPress loads this from wp-content/mu-plugins; the settings are the container's environment. What a mailer of the owner's sets comes later and wins.
 */

add_action(
	'phpmailer_init',
	function ( $mailer ) {
		$host = getenv( 'MAIL_HOST' );
		if ( ! $host ) {
			return;
		}
		$mailer->isSMTP();
		$mailer->Host        = $host;
		$mailer->Port        = (int) getenv( 'MAIL_PORT' );
		$mailer->SMTPSecure  = array( 'tls' => 'ssl', 'starttls' => 'tls' )[ getenv( 'MAIL_SECURITY' ) ] ?? '';
		$mailer->SMTPAutoTLS = false;
		$mailer->Timeout     = 10; // a customer waits for the order that the mail is about
		$mailer->SMTPAuth    = (bool) getenv( 'MAIL_USERNAME' );
		$mailer->Username    = (string) getenv( 'MAIL_USERNAME' );
		$mailer->Password    = (string) getenv( 'MAIL_PASSWORD' );
		$from                = getenv( 'MAIL_FROM' );
		if ( $from && $from !== $mailer->From ) {
			if ( ! $mailer->getReplyToAddresses() ) {
				$mailer->addReplyTo( $mailer->From, $mailer->FromName );
			}
			$mailer->setFrom( $from, $mailer->FromName );
		}
	},
	1
);

add_action(
	'wp_mail_failed',
	function ( $error ) {
		error_log( 'mail: not sent: ' . $error->get_error_message() );
	}
);

/** Whether a plugin of the owner's sets how mail is sent; WooCommerce's own mails do not. */
function store_has_mailer(): bool {
	$set = array_merge( ...array_values( $GLOBALS['wp_filter']['phpmailer_init']->callbacks ) );
	$set = array_filter( $set, fn( $one ) => ! is_array( $one['function'] ) || ! $one['function'][0] instanceof WC_Email );
	return count( $set ) > 1; // besides ours
}

/** An owner who does not know would wait for orders that nothing tells of. */
add_action(
	'admin_notices',
	function () {
		if ( getenv( 'MAIL_HOST' ) || ! current_user_can( 'manage_options' ) || store_has_mailer() ) {
			return;
		}
		echo '<div class="notice notice-warning"><p><strong>This shop sends no e-mail.</strong> Neither you nor your customers are told of orders by mail: look for them under WooCommerce → Orders. '
			. 'Ask the company that hosts this shop for a mail server.</p></div>';
	}
);
