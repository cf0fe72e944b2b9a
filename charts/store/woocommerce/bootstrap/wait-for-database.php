<?php
/**
 * Waits until the database takes WordPress's user and password. It never gives up: how long a store may take is decided by
 * whoever waits for the pod, and a pod that keeps ending would look like a program that crashes.
 */

mysqli_report( MYSQLI_REPORT_OFF );
for ( $try = 0; ; $try++ ) {
	$db = @mysqli_connect(
		getenv( 'WORDPRESS_DB_HOST' ),
		getenv( 'WORDPRESS_DB_USER' ),
		getenv( 'WORDPRESS_DB_PASSWORD' ),
		getenv( 'WORDPRESS_DB_NAME' )
	);
	if ( $db ) {
		exit( 0 );
	}
	if ( 0 === $try % 10 ) {
		// The error's number only: its text may quote what was sent.
		fwrite( STDERR, 'bootstrap: the database does not take us yet (error ' . mysqli_connect_errno() . ")\n" );
	}
	sleep( 1 );
}
