package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"orchestrator/provision"
)

// WooCommerce is WordPress with WooCommerce and MariaDB.
type WooCommerce struct{}

// The administrator's name. WordPress lets people log in with their address as well.
const wordpressAdmin = "admin"

// Entries of the Secret that Verify reads.
const (
	restKey    = "rest-consumer-key"
	restSecret = "rest-consumer-secret"
)

// woocommerceCurrencies are those of WooCommerce 11 (plugins/woocommerce/i18n/currencies.php).
const woocommerceCurrencies = `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTC BTN BWP
	BYR BYN BZD CAD CDF CHF CHW CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GGP GHS GIP
	GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS IMP INR IQD IRR IRT ISK JEP JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
	LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK
	PHP PKR PLN PRB PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY
	TTD TWD TZS UAH UGX USD UYU UZS VEF VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW`

// Release implements [provision.Engine].
func (WooCommerce) Release(s provision.Store) (provision.Release, error) {
	origin, err := originOf(s)
	if err != nil {
		return provision.Release{}, err
	}
	w, err := wishesOf(s, woocommerceCurrencies)
	if err != nil {
		return provision.Release{}, err
	}
	return provision.Release{
		Chart:       "woocommerce",
		Values:      commonValues(s, origin, w, wordpressAdmin),
		Credentials: woocommerceCredentials(),
	}, nil
}

func woocommerceCredentials() []provision.Credential {
	all := []provision.Credential{
		secret(provision.AdminPassword, 24),
		secret("db-password", 32),
		secret("db-root-password", 32),
		// The form of WooCommerce's own keys (wc_rand_hash with a prefix).
		{Key: restKey, Prefix: "ck_", Length: 40, Chars: provision.Hex},
		{Key: restSecret, Prefix: "cs_", Length: 40, Chars: provision.Hex},
	}
	// Without them in the environment the official wp-config.php uses one text for all stores.
	for _, kind := range []string{"auth", "secure-auth", "logged-in", "nonce"} {
		all = append(all, secret("wordpress-"+kind+"-key", 64), secret("wordpress-"+kind+"-salt", 64))
	}
	return all
}

// Verify implements [provision.Engine]. A WordPress that nobody has installed answers every page with a redirect to its
// installer and passes for well with whoever only looks at the status; so the shop page itself is looked at, and then
// whether the shop's API takes the keys that the bootstrap has stored.
//
// Once the shop is proven, its owner may close it for a while, move its pages, or delete the keys. One of the two has to
// be as it was, and nothing may lead to the installer.
func (WooCommerce) Verify(ctx context.Context, s provision.Store, shop provision.Shop) (provision.Facts, error) {
	origin, err := originOf(s)
	if err != nil {
		return nil, err
	}
	a := asker{client: shop.HTTP, origin: origin}
	page, err := findShopPage(ctx, a)
	if err == nil {
		err = page.isShop()
	}
	if err != nil && (!shop.Proven || page.leadsToInstaller()) {
		return nil, err
	}
	refused := checkRESTKeys(ctx, a, shop)
	if shop.Proven && (err == nil || refused == nil) {
		return nil, nil
	}
	return nil, cmp.Or(err, refused)
}

// Visit implements [provision.Engine]. Of a proven shop it is enough that some page of WordPress answers.
func (WooCommerce) Visit(ctx context.Context, s provision.Store, shop provision.Shop) error {
	origin, err := originOf(s)
	if err != nil {
		return err
	}
	a := asker{client: shop.HTTP, origin: origin, outside: true}
	page, err := findShopPage(ctx, a)
	if err != nil {
		return err
	}
	err = page.isShop()
	switch {
	case err == nil || !shop.Proven || page.leadsToInstaller():
		return err
	case page.status == http.StatusOK && bytes.Contains(page.body, []byte("/wp-content/")):
		return nil
	}
	index, failed := a.ask(ctx, http.MethodGet, "/wp-json/", nil, nil)
	if failed == nil && index.status == http.StatusOK && bytes.Contains(index.body, []byte(`"namespaces"`)) {
		return nil
	}
	return err
}

// findShopPage asks for the shop under the name that WooCommerce gives it. Where an owner has renamed the page,
// WordPress leads from the other address to it.
func findShopPage(ctx context.Context, a asker) (answer, error) {
	page, err := a.follow(ctx, "/shop/")
	if err == nil && page.status == http.StatusNotFound {
		return a.follow(ctx, "/?post_type=product")
	}
	return page, err
}

// isShop is nil for a page of a shop that is open.
func (a answer) isShop() error {
	switch {
	case a.leadsToInstaller():
		return a.refused("WordPress is not installed")
	case a.status != http.StatusOK:
		return a.refused("a shop page was expected")
	case bytes.Contains(a.body, []byte("woo-coming-soon-page")):
		return a.refused("the shop shows its coming-soon page")
	case !bytes.Contains(bytes.ToLower(a.body), []byte("woocommerce")):
		return a.refused("the page has nothing of WooCommerce in it")
	}
	return nil
}

// checkRESTKeys asks for a product with our keys. WooCommerce takes keys over TLS only, so the question pretends to have
// come that way, also to a shop on plain http.
func checkRESTKeys(ctx context.Context, a asker, shop provision.Shop) error {
	key, err := shop.Credential(ctx, restKey)
	if err != nil {
		return err
	}
	password, err := shop.Credential(ctx, restSecret)
	if err != nil {
		return err
	}
	a.origin = &url.URL{Scheme: "https", Host: a.origin.Host}
	answer, err := a.ask(ctx, http.MethodGet, "/wp-json/wc/v3/products?per_page=1", nil, func(r *http.Request) {
		r.SetBasicAuth(key, password)
	})
	var products []json.RawMessage
	switch {
	case err != nil:
		return err
	case answer.status == http.StatusUnauthorized:
		return answer.refused("WooCommerce does not take the orchestrator's keys")
	case answer.status != http.StatusOK:
		return answer.refused("WooCommerce's API does not answer")
	case json.Unmarshal(answer.body, &products) != nil:
		return answer.refused("the answer is no list of products")
	}
	return nil
}
