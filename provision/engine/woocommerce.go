package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"orchestrator/provision"
)

// WooCommerce is WordPress with WooCommerce and MariaDB.
type WooCommerce struct{}

// The administrator's user name. WordPress accepts the e-mail address at the login as well.
const wordpressAdmin = "admin"

// Entries of the Secret that Verify reads.
const (
	restKey    = "rest-consumer-key"
	restSecret = "rest-consumer-secret"
)

// woocommerceRules has the currencies of WooCommerce 11 (plugins/woocommerce/i18n/currencies.php) and the length of
// WordPress's column user_email (wp-admin/includes/schema.php).
var woocommerceRules = settingsRules{maxEmail: 100, currencies: `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTC BTN BWP
	BYR BYN BZD CAD CDF CHF CHW CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GGP GHS GIP
	GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS IMP INR IQD IRR IRT ISK JEP JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
	LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK
	PHP PKR PLN PRB PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY
	TTD TWD TZS UAH UGX USD UYU UZS VEF VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW`}

// Release implements [provision.Engine].
func (WooCommerce) Release(s provision.Store) (provision.Release, error) {
	origin, err := originOf(s)
	if err != nil {
		return provision.Release{}, err
	}
	set, err := resolveSettings(s, woocommerceRules)
	if err != nil {
		return provision.Release{}, err
	}
	return provision.Release{
		Chart:       "woocommerce",
		Values:      commonValues(s, origin, set, wordpressAdmin),
		Credentials: woocommerceCredentials(),
	}, nil
}

func woocommerceCredentials() []provision.Credential {
	all := []provision.Credential{
		rotating(secret(provision.AdminPassword, 24)),
		initial(secret("db-password", 32)),
		initial(secret("db-root-password", 32)),
		// The format of WooCommerce's own keys (wc_rand_hash with a prefix).
		rotating(provision.Credential{Key: restKey, Prefix: "ck_", Length: 40, Chars: provision.Hex}),
		rotating(provision.Credential{Key: restSecret, Prefix: "cs_", Length: 40, Chars: provision.Hex}),
	}
	// Without them in the environment the official wp-config.php uses the same text for all stores.
	for _, kind := range []string{"auth", "secure-auth", "logged-in", "nonce"} {
		all = append(all, secret("wordpress-"+kind+"-key", 64), secret("wordpress-"+kind+"-salt", 64))
	}
	return all
}

// Verify implements [provision.Engine]. A WordPress that is not installed redirects every page to its installer, which looks
// healthy to a check of the status alone. So Verify checks the shop page itself, and then whether the shop's API accepts the
// keys that the bootstrap has stored.
//
// Once the shop is verified, its owner may close it for a while, move its pages, or delete the keys. One of the two must be
// as it was, and nothing may redirect to the installer.
func (WooCommerce) Verify(ctx context.Context, s provision.Store, shop provision.Shop) (provision.Outputs, error) {
	origin, err := originOf(s)
	if err != nil {
		return nil, err
	}
	c := shopClient{client: shop.HTTP, origin: origin}
	page, err := findShopPage(ctx, c)
	if err == nil {
		err = page.isShop()
	}
	if err != nil && (!shop.VerifiedBefore || page.leadsToInstaller()) {
		return nil, err
	}
	refused := checkRESTKeys(ctx, c, shop)
	if shop.VerifiedBefore && (err == nil || refused == nil) {
		return nil, nil
	}
	return nil, cmp.Or(err, refused)
}

// VerifyPublic implements [provision.Engine]. For a shop that was verified before it is enough that some page of WordPress
// responds.
func (WooCommerce) VerifyPublic(ctx context.Context, s provision.Store, shop provision.Shop) error {
	origin, err := originOf(s)
	if err != nil {
		return err
	}
	c := shopClient{client: shop.HTTP, origin: origin, public: true}
	page, err := findShopPage(ctx, c)
	if err != nil {
		return err
	}
	err = page.isShop()
	switch {
	case err == nil:
		return checkLoginPage(ctx, c)
	case !shop.VerifiedBefore || page.leadsToInstaller():
		return err
	case page.status == http.StatusOK && bytes.Contains(page.body, []byte("/wp-content/")):
		return nil
	}
	index, failed := c.do(ctx, http.MethodGet, "/wp-json/", nil, nil)
	if failed == nil && index.status == http.StatusOK && bytes.Contains(index.body, []byte(`"namespaces"`)) {
		return nil
	}
	return err
}

// checkLoginPage looks for the circle of a shop on https that takes its visitors for ones on plain http: its pages may be shown, and its owner cannot
// log in. Everything else about the login is the owner's affair.
func checkLoginPage(ctx context.Context, c shopClient) error {
	const path = "/wp-login.php"
	if c.origin.Scheme != "https" {
		return nil
	}
	page, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err == nil && page.location == path {
		return page.unexpected("the login leads to itself, because the shop is told by X-Forwarded-Proto that its visitors come by plain http; " +
			"if TLS ends before the ingress controller, set common.ingress.tls.endsBefore")
	}
	return err
}

// findShopPage requests the shop page under the name that WooCommerce gives it. Where the owner has renamed the page,
// WordPress redirects from the other address to it.
func findShopPage(ctx context.Context, c shopClient) (response, error) {
	page, err := c.follow(ctx, "/shop/", response.leadsToInstaller)
	if err == nil && page.status == http.StatusNotFound {
		return c.follow(ctx, "/?post_type=product", response.leadsToInstaller)
	}
	return page, err
}

// installer is the page that installs WordPress.
const installer = "/wp-admin/install.php"

// leadsToInstaller reports the installer, or a redirect to it.
func (r response) leadsToInstaller() bool {
	return strings.Contains(r.location, installer) || strings.Contains(r.path, installer)
}

// isShop returns nil for the page of a shop that is open.
func (r response) isShop() error {
	switch {
	case r.leadsToInstaller():
		return r.unexpected("WordPress is not installed")
	case r.status != http.StatusOK:
		return r.unexpected("a shop page was expected")
	case bytes.Contains(r.body, []byte("woo-coming-soon-page")):
		return r.unexpected("the shop shows its coming-soon page")
	case !bytes.Contains(bytes.ToLower(r.body), []byte("woocommerce")):
		return r.unexpected("the page is not one of WooCommerce")
	}
	return nil
}

// checkRESTKeys requests a product with the orchestrator's keys. WooCommerce accepts keys over TLS only, so the request claims
// to have come over TLS, even for a shop on plain http.
func checkRESTKeys(ctx context.Context, c shopClient, shop provision.Shop) error {
	key, err := shop.Credential(ctx, restKey)
	if err != nil {
		return err
	}
	password, err := shop.Credential(ctx, restSecret)
	if err != nil {
		return err
	}
	c.origin = &url.URL{Scheme: "https", Host: c.origin.Host}
	resp, err := c.do(ctx, http.MethodGet, "/wp-json/wc/v3/products?per_page=1", nil, func(r *http.Request) {
		r.SetBasicAuth(key, password)
	})
	var products []json.RawMessage
	switch {
	case err != nil:
		return err
	case resp.status == http.StatusUnauthorized:
		return resp.unexpected("WooCommerce does not accept the orchestrator's keys")
	case resp.status != http.StatusOK:
		return resp.unexpected("WooCommerce's API does not work")
	case json.Unmarshal(resp.body, &products) != nil:
		return resp.unexpected("the answer is not a list of products")
	}
	return nil
}
