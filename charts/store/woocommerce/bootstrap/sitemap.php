<?php
/**
 * Plugin Name: Sitemap
 * Description: Has search engines find the sitemap of a shop that has no posts.
 *
 * WordPress loads this from wp-content/mu-plugins. It answers 404 to each request that finds no posts, and so to that for its sitemap, whose text it sends all
 * the same. A sitemap that there is none of is answered with 404 later.
 */

add_filter( 'pre_handle_404', fn( $handled, $query ) => $handled || '' !== (string) $query->get( 'sitemap' ) || '' !== (string) $query->get( 'sitemap-stylesheet' ), 10, 2 );
