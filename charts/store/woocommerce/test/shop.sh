#!/bin/sh
# Checks the shop as a shopper would use it: the shop page, and what a storefront needs of its API. It changes nothing.
set -eu

# The headers are those of an ingress; without them the shop would redirect to its public address.
ask() {
	path=$1
	shift
	curl -fsS -m 30 --retry 2 -H "Host: $STORE_HOST" -H "X-Forwarded-Proto: $STORE_SCHEME" "$@" "$SHOP$path"
}

expect() {
	if ! printf '%s' "$3" | grep -qi -- "$2"; then
		echo "test: $1 has nothing of \"$2\" in it" >&2
		exit 1
	fi
	echo "test: $1: ok"
}

# Requested by its type, since the owner may have renamed the page: WordPress redirects to it.
shop='/?post_type=product'
leads=$(ask "$shop" -o /dev/null -w '%{redirect_url}')
[ -z "$leads" ] || shop=/${leads#*://*/}
page=$(ask "$shop")
expect "the shop page" woocommerce "$page"
if printf '%s' "$page" | grep -q woo-coming-soon-page; then
	echo "test: the shop shows its coming-soon page" >&2
	exit 1
fi
expect "the list of products" '^\[' "$(ask '/wp-json/wc/store/v1/products?per_page=1')"
expect "the cart" '"currency_code"' "$(ask /wp-json/wc/store/v1/cart)"
