<?php
/**
 * What a new shop starts with: the build of the image has installed one and brings its tables (shop.sql) and its uploads. Without them, or where they are of other
 * code, the shop is installed step by step. There is no secret, user, key or random id in them, and what belongs to one shop (its address, times) is replaced here.
 */

/** The table that is there while a restore is under way. A restore that was cut short begins again. */
const RESTORING = 'orchestrator_restoring';

/** What stands for the address of the shop and of its owner, with the value of the environment for each. */
const PLACES = array(
	'http://new-shop.invalid' => 'STORE_URL',
	'owner@new-shop.invalid'  => 'STORE_ADMIN_EMAIL',
);

function new_shop(): string {
	return getenv( 'NEW_SHOP' ) ?: '/usr/share/new-shop';
}

/** A hash of the versions of WordPress and WooCommerce. */
function versions(): string {
	$code = array( 'wp-includes/version.php', 'wp-content/plugins/woocommerce/woocommerce.php' );
	return hash( 'sha256', implode( '', array_map( fn( $file ) => is_file( $file ) ? file_get_contents( $file ) : '', $code ) ) );
}

/** Restores the tables into an empty database, and says which way the shop comes about. */
function restore( mysqli $db ): void {
	$tables = tables( $db );
	if ( $tables && ! in_array( RESTORING, $tables, true ) ) {
		return;
	}
	clear( $db, $tables );
	$sql = new_tables( $db );
	if ( '' === $sql ) {
		fwrite( STDOUT, "bootstrap: the image brings no tables of this version: the shop is installed step by step\n" );
		return;
	}
	if ( load( $db, 'CREATE TABLE ' . RESTORING . ' (x INT)' ) && load( $db, $sql ) && copy_uploads() && load( $db, 'DROP TABLE ' . RESTORING ) ) {
		fwrite( STDOUT, "bootstrap: the shop's tables are restored from the image\n" );
		return;
	}
	// The error's number only: its text may quote what was sent.
	fwrite( STDERR, 'bootstrap: the tables of the image could not be restored (error ' . mysqli_errno( $db ) . "): the shop is installed step by step\n" );
	clear( $db, tables( $db ) );
}

function tables( mysqli $db ): array {
	$answer = @mysqli_query( $db, 'SHOW TABLES' );
	if ( ! $answer ) {
		fwrite( STDERR, "bootstrap: the database does not say which tables it has\n" );
		exit( 1 );
	}
	return array_column( $answer->fetch_all(), 0 );
}

/** Drops tables; the one that says that a restore is under way is the last. */
function clear( mysqli $db, array $tables ): void {
	$last = array_intersect( $tables, array( RESTORING ) );
	foreach ( array_merge( array_diff( $tables, $last ), $last ) as $table ) {
		@mysqli_query( $db, 'DROP TABLE IF EXISTS `' . $table . '`' );
	}
}

/** Returns the SQL for this shop, "" if there is none for this code. Its first line says what it was made of, and when. */
function new_tables( mysqli $db ): string {
	$sql = @file_get_contents( new_shop() . '/shop.sql' );
	if ( ! $sql || ! preg_match( '/^-- versions:([0-9a-f]{64}) made:(\d{10})\n/', $sql, $head ) || versions() !== $head[1] ) {
		return '';
	}
	return placed( $db, moved( $sql, (int) $head[2] ) );
}

/** Moves the times by what has passed since: schedules of many shops would otherwise be due at once, and posts be older than their shop. */
function moved( string $sql, int $made ): string {
	$passed = time() - $made;
	$sql    = preg_replace_callback(
		'/(?<=i:|\')\d{10}(?=;|\')/',
		fn( $found ) => abs( (int) $found[0] - $made ) < 400 * 86400 ? (string) ( (int) $found[0] + $passed ) : $found[0],
		$sql
	);
	return preg_replace_callback(
		'/(?<=\')[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d(?=\')/',
		fn( $found ) => gmdate( 'Y-m-d H:i:s', strtotime( $found[0] . ' UTC' ) + $passed ),
		$sql
	);
}

/** Puts the shop's addresses in. In a serialized value a text has its length before it. */
function placed( mysqli $db, string $sql ): string {
	foreach ( PLACES as $place => $name ) {
		$value = (string) getenv( $name );
		$text  = $db->real_escape_string( $value );
		$sql   = str_replace( 's:' . strlen( $place ) . ':\"' . $place . '\"', 's:' . strlen( $value ) . ':\"' . $text . '\"', $sql );
		$sql   = str_replace( $place, $text, $sql );
	}
	return $sql;
}

function load( mysqli $db, string $sql ): bool {
	if ( ! @$db->multi_query( $sql ) ) {
		return false;
	}
	do {
		$result = $db->store_result();
		if ( $result ) {
			$result->free();
		}
	} while ( $db->more_results() && @$db->next_result() );
	return 0 === $db->errno;
}

/** What the volume has already stays. */
function copy_uploads(): bool {
	$from = new_shop() . '/uploads/.';
	passthru( 'cp -R --update=none ' . escapeshellarg( $from ) . ' wp-content/uploads/ 2>/dev/null || cp -Rn ' . escapeshellarg( $from ) . ' wp-content/uploads/', $code );
	return 0 === $code;
}
