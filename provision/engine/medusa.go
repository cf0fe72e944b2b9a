package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"orchestrator/provision"
)

// Medusa is Medusa v2 with PostgreSQL and Valkey.
type Medusa struct{}

// medusaRules has the currencies of Medusa 2.21 (@medusajs/utils, defaults/currencies).
var medusaRules = settingsRules{currencies: `USD CAD EUR AED AFN ALL AMD AOA ARS AUD AZN BAM BDT BGN BHD BIF BND BOB BRL BWP BYN BZD CDF CHF CLP
	CNY COP CRC CVE CZK DJF DKK DOP DZD EEK EGP ERN ETB GBP GEL GHS GMD GNF GTQ HKD HNL HRK HUF IDR ILS INR IQD IRR IRT ISK
	JMD JOD JPY KES KHR KMF KRW KWD KZT LBP LKR LTL LVL LYD MAD MDL MGA MKD MMK MNT MOP MUR MWK MXN MYR MZN NAD NGN NIO NOK
	NPR NZD OMR PAB PEN PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SDG SEK SGD SOS SYP THB TND TOP TJS TRY TTD TWD TZS UAH UGX
	UYU UZS VEF VND XAF XOF XPF YER ZAR ZMK ZWL`}

// Release implements [provision.Engine]. The administrator logs in with an e-mail address; Medusa has no user names.
func (Medusa) Release(s provision.Store) (provision.Release, error) {
	origin, err := originOf(s)
	if err != nil {
		return provision.Release{}, err
	}
	set, err := resolveSettings(s, medusaRules)
	if err != nil {
		return provision.Release{}, err
	}
	return provision.Release{
		Chart:  "medusa",
		Values: commonValues(s, origin, set, set.email),
		Credentials: []provision.Credential{
			rotating(secret(provision.AdminPassword, 24)),
			initial(secret("db-password", 32)),
			initial(secret("redis-password", 32)),
			secret("jwt-secret", 64),
			secret("cookie-secret", 64),
		},
	}, nil
}

// publishableOutput is the output with the key that a storefront sends with every request.
const publishableOutput = "publishable_key"

// Verify implements [provision.Engine]. Medusa's /health responds without a database, so it is only the first check: the
// owner's login, the publishable key and the products behind it need everything.
//
// Once the shop is verified, its owner may change the password and replace the keys. Where the orchestrator can no longer
// log in, it checks what a storefront sees.
func (Medusa) Verify(ctx context.Context, s provision.Store, shop provision.Shop) (provision.Outputs, error) {
	origin, err := originOf(s)
	if err != nil {
		return nil, err
	}
	set, err := resolveSettings(s, medusaRules)
	if err != nil {
		return nil, err
	}
	c := shopClient{client: shop.HTTP, origin: origin}
	if err := checkHealth(ctx, c); err != nil {
		return nil, err
	}
	key, err := verifyOwner(ctx, c, shop, set.email)
	if err == nil {
		return provision.Outputs{publishableOutput: key}, nil
	}
	if !shop.VerifiedBefore {
		return nil, err
	}
	return verifyStorefront(ctx, c, shop.Outputs[publishableOutput])
}

// VerifyPublic implements [provision.Engine]. Without a key Medusa must reject a storefront's request, with its own error.
func (Medusa) VerifyPublic(ctx context.Context, s provision.Store, shop provision.Shop) error {
	origin, err := originOf(s)
	if err != nil {
		return err
	}
	c := shopClient{client: shop.HTTP, origin: origin, public: true}
	if err := checkHealth(ctx, c); err != nil {
		return err
	}
	resp, err := c.products(ctx, "")
	if err == nil && !resp.requiresKey() {
		return resp.unexpected("this is not Medusa's answer to a storefront without a key")
	}
	return err
}

// verifyOwner logs in as the owner, reads a publishable key and uses it.
func verifyOwner(ctx context.Context, c shopClient, shop provision.Shop, email string) (string, error) {
	token, err := logIn(ctx, c, shop, email)
	if err != nil {
		return "", err
	}
	key, err := publishableKey(ctx, c, token)
	if err != nil {
		return "", err
	}
	return key, checkProducts(ctx, c, key)
}

// verifyStorefront requests products as a storefront with the known key. That Medusa no longer accepts the key is a pass, too,
// since Medusa has looked it up in its database; the key is then no longer an output.
func verifyStorefront(ctx context.Context, c shopClient, key string) (provision.Outputs, error) {
	resp, err := c.products(ctx, cmp.Or(key, "pk_unknown"))
	switch {
	case err != nil:
		return nil, err
	case resp.listsProducts():
		return provision.Outputs{publishableOutput: key}, nil
	case resp.requiresKey():
		return nil, nil
	}
	return nil, resp.unexpected("a storefront cannot list products")
}

func checkHealth(ctx context.Context, c shopClient) error {
	resp, err := c.do(ctx, http.MethodGet, "/health", nil, nil)
	if err == nil && resp.status != http.StatusOK {
		return resp.unexpected("Medusa is not up")
	}
	return err
}

// logIn exchanges the owner's password for a token.
func logIn(ctx context.Context, c shopClient, shop provision.Shop, email string) (string, error) {
	password, err := shop.Credential(ctx, provision.AdminPassword)
	if err != nil {
		return "", err
	}
	login := map[string]string{"email": email, "password": password}
	resp, err := c.do(ctx, http.MethodPost, "/auth/user/emailpass", login, nil)
	var body struct{ Token string }
	switch {
	case err != nil:
		return "", err
	case resp.status == http.StatusUnauthorized:
		return "", resp.unexpected("the store's password does not open its dashboard; it may have been changed there")
	case resp.status != http.StatusOK:
		return "", resp.unexpected("the login failed")
	case json.Unmarshal(resp.body, &body) != nil || body.Token == "":
		return "", resp.unexpected("the answer has no token")
	}
	return body.Token, nil
}

// publishableKey returns a key that a storefront may use: Medusa makes one at its first start.
func publishableKey(ctx context.Context, c shopClient, token string) (string, error) {
	resp, err := c.do(ctx, http.MethodGet, "/admin/api-keys?type=publishable", nil, bearer(token))
	var body struct {
		Keys []struct {
			Token   string  `json:"token"`
			Revoked *string `json:"revoked_at"`
		} `json:"api_keys"`
	}
	switch {
	case err != nil:
		return "", err
	case resp.status != http.StatusOK:
		return "", resp.unexpected("a list of API keys was expected")
	case json.Unmarshal(resp.body, &body) != nil:
		return "", resp.unexpected("the answer is not a list of API keys")
	}
	for _, key := range body.Keys {
		if key.Token != "" && key.Revoked == nil {
			return key.Token, nil
		}
	}
	return "", resp.unexpected("the shop has no publishable key")
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func checkProducts(ctx context.Context, c shopClient, key string) error {
	resp, err := c.products(ctx, key)
	switch {
	case err != nil:
		return err
	case resp.status != http.StatusOK:
		return resp.unexpected("a storefront cannot list products")
	case !resp.listsProducts():
		return resp.unexpected("the answer is not a list of products")
	}
	return nil
}

// products requests products as a storefront with a key does; "" is a storefront without one.
func (c shopClient) products(ctx context.Context, key string) (response, error) {
	return c.do(ctx, http.MethodGet, "/store/products?limit=1", nil, func(r *http.Request) {
		if key != "" {
			r.Header.Set("x-publishable-api-key", key)
		}
	})
}

func (r response) listsProducts() bool {
	var body struct {
		Products *[]json.RawMessage `json:"products"`
	}
	return r.status == http.StatusOK && json.Unmarshal(r.body, &body) == nil && body.Products != nil
}

// requiresKey reports Medusa's error for a storefront whose key is missing or invalid.
func (r response) requiresKey() bool {
	var body struct{ Type string }
	return r.status == http.StatusBadRequest && json.Unmarshal(r.body, &body) == nil && body.Type == "not_allowed"
}
