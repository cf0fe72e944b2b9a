<?php
/**
 * run.php [--always] COMMAND [ARGUMENT...]: runs the command once the database takes WordPress's user and password, in one pod at a
 * time, and exits with its exit code. Its output is passed on without the store's secrets; where it fails, the last lines
 * become the container's termination message, which the caller can read.
 *
 * Where the command has run to its end for this very code and these settings, and WooCommerce is still active, nothing is run: a
 * restart keeps the shop closed no longer than it takes to see that. The mark is in the shop's database, so that it comes back with a backup of it.
 * With --always it is run whatever the mark says, and leaves it as it is. Otherwise an empty database first gets the tables that the image brings (restore.php), and an
 * update of the owner's that was cut short is undone: no pod serves by now.
 *
 * The command finds in BOOTSTRAP_INSTALLED whether there is a shop (yes or no), and in BOOTSTRAP_PLUGINS which plugins besides WooCommerce are active in it,
 * separated by commas.
 *
 * The wait has no limit: the caller that waits for the pod decides how long a store may take, and a pod that keeps exiting
 * would look like a program that crashes.
 */

require __DIR__ . '/restore.php';

mysqli_report( MYSQLI_REPORT_OFF );

function connect(): mysqli {
	for ( $said = -INF; ; usleep( 100000 ) ) {
		$db = mysqli_init();
		// A packet that is lost while the pod's network is being set up is not waited for.
		$db->options( MYSQLI_OPT_CONNECT_TIMEOUT, 2 );
		if ( @$db->real_connect( getenv( 'WORDPRESS_DB_HOST' ), getenv( 'WORDPRESS_DB_USER' ), getenv( 'WORDPRESS_DB_PASSWORD' ), getenv( 'WORDPRESS_DB_NAME' ) ) ) {
			return $db;
		}
		if ( microtime( true ) - $said >= 10 ) {
			fwrite( STDERR, 'bootstrap: ' . refusal() . "\n" );
			$said = microtime( true );
		}
	}
}

/** Returns why there is no connection yet, with the error's number only: its text may quote what was sent. */
function refusal(): string {
	$number = mysqli_connect_errno();
	$host   = strtok( (string) getenv( 'WORDPRESS_DB_HOST' ), ':' );
	return 2002 === $number && gethostbyname( $host ) === $host
		? "the cluster's DNS does not know the database's name $host yet, or this pod may not ask it (common.networkPolicy.dnsCIDRs)"
		: "the database does not take us yet (error $number)";
}

/** The lock goes with the connection, so it cannot outlive this process. */
function lock(): mysqli {
	$db = connect();
	for ( ; ; ) {
		$answer = @mysqli_query( $db, "SELECT GET_LOCK('bootstrap', 30)" );
		if ( $answer && '1' === (string) $answer->fetch_row()[0] ) {
			return $db;
		}
		if ( ! $answer ) {
			$db = connect();
		}
		fwrite( STDERR, "bootstrap: waiting for the bootstrap of another pod\n" );
	}
}

/** Returns the values of the environment that must not appear in a log. */
function secrets(): array {
	$names = preg_grep( '/PASSWORD|SECRET|SALT|_KEY$/', array_keys( getenv() ) );
	return array_filter( array_map( 'getenv', $names ), fn( $value ) => strlen( $value ) >= 8 );
}

/** Runs the command and returns its exit code and the last lines that it printed, errors where there were any. */
function run( array $command, array $secrets ): array {
	$pipes   = array();
	$process = proc_open( $command, array( 1 => array( 'pipe', 'w' ), 2 => array( 'pipe', 'w' ) ), $pipes );
	$outputs = array( 1 => STDOUT, 2 => STDERR );
	$last    = array( 1 => array(), 2 => array() );
	while ( $pipes ) {
		$ready = $pipes;
		$none  = null;
		stream_select( $ready, $none, $none, null );
		foreach ( $ready as $number => $pipe ) {
			$line = fgets( $pipe );
			if ( false === $line ) {
				unset( $pipes[ $number ] );
				continue;
			}
			$line = str_replace( $secrets, '***', $line );
			fwrite( $outputs[ $number ], $line );
			$last[ $number ] = array_slice( array_merge( $last[ $number ], array( rtrim( $line ) ) ), -3 );
		}
	}
	return array( proc_close( $process ), $last[2] ? $last[2] : $last[1] );
}

const MARK = 'orchestrator_bootstrap';

/** Returns what the result of the command depends on, as a hash: settings, code, translations. The password is for a new shop only. */
function inputs(): string {
	$inputs = array();
	foreach ( getenv() as $name => $value ) {
		if ( preg_match( '/^(STORE_|WOOCOMMERCE_VERSION$)/', $name ) && 'STORE_ADMIN_PASSWORD' !== $name ) {
			$inputs[ $name ] = $value;
		}
	}
	ksort( $inputs );
	$code = array( 'wp-includes/version.php', 'wp-content/plugins/woocommerce/woocommerce.php' );
	foreach ( array_merge( glob( __DIR__ . '/*' ), $code ) as $file ) {
		// A mounted folder has another path in each pod.
		$inputs[] = array( basename( $file ), is_file( $file ) ? hash_file( 'sha256', $file ) : '' );
	}
	return hash( 'sha256', json_encode( array( $inputs, glob( 'wp-content/languages/*.mo' ) ) ) );
}

function options(): string {
	return '`' . ( getenv( 'WORDPRESS_TABLE_PREFIX' ) ?: 'wp_' ) . 'options`';
}

/** Returns the mark and the active plugins. A database without WordPress's tables answers with an error, and has neither. */
function found( mysqli $db ): array {
	$answer  = @mysqli_query( $db, 'SELECT option_name, option_value FROM ' . options() . " WHERE option_name IN ('" . MARK . "', 'active_plugins')" );
	$found   = $answer ? array_column( $answer->fetch_all(), 1, 0 ) : array();
	$plugins = @unserialize( $found['active_plugins'] ?? '', array( 'allowed_classes' => false ) );
	return array( $found[ MARK ] ?? '', is_array( $plugins ) ? $plugins : array() );
}

const PLUGIN = 'woocommerce/woocommerce.php';

/** The names that wp knows plugins by. */
function others( array $plugins ): string {
	$names = fn( $file ) => '.' === dirname( $file ) ? basename( $file, '.php' ) : dirname( $file );
	return implode( ',', array_map( $names, array_diff( $plugins, array( PLUGIN ) ) ) );
}

/** A mark that cannot be saved means that the next start looks again. */
function mark( mysqli $db ): void {
	@mysqli_query( $db, 'REPLACE INTO ' . options() . " (option_name, option_value, autoload) VALUES ('" . MARK . "', '" . inputs() . "', 'off')" );
}

/**
 * WordPress closes a shop while it updates, for at most ten minutes, and moves aside what it replaces. An update that was cut short, by the end of its pod, leaves the
 * notice, and for a moment neither the old folder nor the new one in its place.
 */
function undo_update(): void {
	@unlink( '.maintenance' );
	foreach ( array( 'plugins', 'themes' ) as $kind ) {
		foreach ( glob( "wp-content/upgrade-temp-backup/$kind/*", GLOB_ONLYDIR ) as $kept ) {
			$place = "wp-content/$kind/" . basename( $kept );
			if ( ! file_exists( $place ) && rename( $kept, $place ) ) {
				fwrite( STDOUT, "bootstrap: $place is back, whose update was cut short\n" );
			}
		}
	}
}

$command = array_slice( $argv, 1 );
$always  = '--always' === ( $command[0] ?? '' );
if ( $always ) {
	array_shift( $command );
}
$db = lock();
if ( ! $always ) {
	undo_update();
}
list( $mark, $plugins ) = found( $db );
if ( ! $always && inputs() === $mark && in_array( PLUGIN, $plugins, true ) ) {
	fwrite( STDOUT, "bootstrap: nothing has changed\n" );
	exit( 0 );
}
if ( ! $always ) {
	restore( $db );
	list( , $plugins ) = found( $db );
}
putenv( 'BOOTSTRAP_INSTALLED=' . ( in_array( PLUGIN, $plugins, true ) ? 'yes' : 'no' ) );
putenv( 'BOOTSTRAP_PLUGINS=' . others( $plugins ) );
list( $code, $last ) = run( $command, secrets() );
if ( 0 !== $code ) {
	@file_put_contents( '/dev/termination-log', implode( "\n", $last ) );
	exit( $code );
}
if ( ! $always ) {
	mark( $db );
}
