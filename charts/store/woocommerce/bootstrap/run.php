<?php
/**
 * run.php COMMAND [ARGUMENT...]: runs the command once the database takes WordPress's user and password, in one pod at a
 * time, and exits with its exit code. Its output is passed on without the store's secrets; where it fails, the last lines
 * become the container's termination message, which the caller can read.
 *
 * The wait has no limit: the caller that waits for the pod decides how long a store may take, and a pod that keeps exiting
 * would look like a program that crashes.
 */

mysqli_report( MYSQLI_REPORT_OFF );

function connect(): mysqli {
	for ( $try = 0; ; $try++ ) {
		$db = @mysqli_connect(
			getenv( 'WORDPRESS_DB_HOST' ),
			getenv( 'WORDPRESS_DB_USER' ),
			getenv( 'WORDPRESS_DB_PASSWORD' ),
			getenv( 'WORDPRESS_DB_NAME' )
		);
		if ( $db ) {
			return $db;
		}
		if ( 0 === $try % 10 ) {
			// The error's number only: its text may quote what was sent.
			fwrite( STDERR, 'bootstrap: the database does not take us yet (error ' . mysqli_connect_errno() . ")\n" );
		}
		sleep( 1 );
	}
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

$lock                = lock();
list( $code, $last ) = run( array_slice( $argv, 1 ), secrets() );
if ( 0 !== $code ) {
	@file_put_contents( '/dev/termination-log', implode( "\n", $last ) );
}
exit( $code );
