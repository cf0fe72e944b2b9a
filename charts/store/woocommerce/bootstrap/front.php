<?php
/**
 * What a stranger sees first in a new shop: its products, and ways to the pages that exist. WordPress alone starts with a blog, a sample page and a footer whose
 * links lead nowhere. It is done before the shop opens for the first time; from then on all of this is the owner's. A start that was cut short does it again.
 */

function store_make_front(): void {
	store_remove_samples();
	update_option( 'page_on_front', wc_get_page_id( 'shop' ) );
	update_option( 'show_on_front', 'page' );
	$terms = store_ensure_post( 'page', 'terms-and-conditions', __( 'Terms and Conditions', 'woocommerce' ), '', 'draft' );
	update_option( 'woocommerce_terms_page_id', $terms );
	if ( wp_is_block_theme() ) {
		store_make_menu();
		store_make_footer( $terms );
	}
}

/** Where the owner has made something of them, they have other names. */
function store_remove_samples(): void {
	foreach ( array( 'post' => 'hello-world', 'page' => 'sample-page' ) as $type => $name ) {
		$sample = get_page_by_path( $name, OBJECT, $type );
		if ( $sample ) {
			wp_delete_post( $sample->ID, true );
		}
	}
}

/** Returns the post of this type and name, made if it is not there. */
function store_ensure_post( string $type, string $name, string $title, string $content, string $status = 'publish' ): int {
	$known = get_posts( array( 'post_type' => $type, 'name' => $name, 'post_status' => array( 'publish', 'draft' ) ) );
	if ( $known ) {
		return $known[0]->ID;
	}
	$id = wp_insert_post(
		array(
			'post_type'    => $type,
			'post_name'    => $name,
			'post_title'   => $title,
			'post_content' => wp_slash( $content ),
			'post_status'  => $status,
		)
	);
	if ( ! $id ) {
		WP_CLI::error( "the $type $name could not be made" );
	}
	return $id;
}

/** The header of the theme shows the only menu that there is. */
function store_make_menu(): void {
	store_ensure_post( 'wp_navigation', 'navigation', 'Navigation', store_links( array_map( 'wc_get_page_id', array( 'shop', 'cart', 'checkout', 'myaccount' ) ) ) );
}

/**
 * In the place of the theme's own, which says what the theme is called. Terms, privacy and refunds are drafts that the owner has to finish; WordPress shows the link
 * to a page from its publication on.
 */
function store_make_footer( int $terms ): void {
	$pages = array( wc_get_page_id( 'shop' ), wc_get_page_id( 'myaccount' ), $terms, (int) get_option( 'wp_page_for_privacy_policy' ), wc_get_page_id( 'refund_returns' ) );
	$id    = store_ensure_post(
		'wp_template_part',
		'footer',
		'Footer',
		'<!-- wp:group {"tagName":"div","align":"full","style":{"spacing":{"padding":{"top":"2rem","bottom":"2rem"},"margin":{"top":"4rem"}}},"layout":{"type":"constrained"}} -->'
		. '<div class="wp-block-group alignfull" style="margin-top:4rem;padding-top:2rem;padding-bottom:2rem">'
		. '<!-- wp:group {"align":"wide","layout":{"type":"flex","flexWrap":"wrap","justifyContent":"space-between"}} --><div class="wp-block-group alignwide">'
		. '<!-- wp:site-title {"level":0} /-->'
		. '<!-- wp:navigation {"overlayMenu":"never","layout":{"type":"flex","flexWrap":"wrap"}} -->' . store_links( $pages ) . '<!-- /wp:navigation -->'
		. '</div><!-- /wp:group --></div><!-- /wp:group -->'
	);
	wp_set_object_terms( $id, get_stylesheet(), 'wp_theme' );
	wp_set_object_terms( $id, 'footer', 'wp_template_part_area' );
}

/** Links to pages, as blocks of a menu. They name no host, so that they fit a copy of the shop too. */
function store_links( array $pages ): string {
	$links = '';
	foreach ( array_filter( $pages, fn( $page ) => $page > 0 && get_post( $page ) ) as $page ) {
		$link   = array(
			'label' => get_the_title( $page ),
			'type'  => 'page',
			'id'    => $page,
			'url'   => store_path( $page ),
			'kind'  => 'post-type',
		);
		$links .= '<!-- wp:navigation-link ' . wp_json_encode( $link, JSON_UNESCAPED_SLASHES ) . ' /-->';
	}
	return $links;
}

/** The path that a page has when it is published, which for a draft WordPress does not tell. */
function store_path( int $page ): string {
	return (int) get_option( 'page_on_front' ) === $page ? '/' : '/' . get_page_uri( $page ) . '/';
}
