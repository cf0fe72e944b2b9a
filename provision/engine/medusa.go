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

// medusaCurrencies are those of Medusa 2.21 (@medusajs/utils, defaults/currencies).
const medusaCurrencies = `USD CAD EUR AED AFN ALL AMD AOA ARS AUD AZN BAM BDT BGN BHD BIF BND BOB BRL BWP BYN BZD CDF CHF CLP
	CNY COP CRC CVE CZK DJF DKK DOP DZD EEK EGP ERN ETB GBP GEL GHS GMD GNF GTQ HKD HNL HRK HUF IDR ILS INR IQD IRR IRT ISK
	JMD JOD JPY KES KHR KMF KRW KWD KZT LBP LKR LTL LVL LYD MAD MDL MGA MKD MMK MNT MOP MUR MWK MXN MYR MZN NAD NGN NIO NOK
	NPR NZD OMR PAB PEN PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SDG SEK SGD SOS SYP THB TND TOP TJS TRY TTD TWD TZS UAH UGX
	UYU UZS VEF VND XAF XOF XPF YER ZAR ZMK ZWL`

// Release implements [provision.Engine]. The administrator logs in with an address; there is no name besides it.
func (Medusa) Release(s provision.Store) (provision.Release, error) {
	origin, err := originOf(s)
	if err != nil {
		return provision.Release{}, err
	}
	w, err := wishesOf(s, medusaCurrencies)
	if err != nil {
		return provision.Release{}, err
	}
	return provision.Release{
		Chart:  "medusa",
		Values: commonValues(s, origin, w, w.email),
		Credentials: []provision.Credential{
			secret(provision.AdminPassword, 24),
			secret("db-password", 32),
			secret("redis-password", 32),
			secret("jwt-secret", 64),
			secret("cookie-secret", 64),
		},
	}, nil
}

// publishableFact names the key that a storefront sends with every question.
const publishableFact = "publishable_key"

// Verify implements [provision.Engine]. Medusa's /health answers without a database, so it is only where to begin: the
// owner's login, the publishable key and the products behind it need everything.
//
// Once the shop is proven, its owner may change the password and replace the keys. Where that has shut us out, a
// storefront's question is what is left to prove.
func (Medusa) Verify(ctx context.Context, s provision.Store, shop provision.Shop) (provision.Facts, error) {
	origin, err := originOf(s)
	if err != nil {
		return nil, err
	}
	w, err := wishesOf(s, medusaCurrencies)
	if err != nil {
		return nil, err
	}
	a := asker{client: shop.HTTP, origin: origin}
	if err := checkHealth(ctx, a); err != nil {
		return nil, err
	}
	key, err := workingKey(ctx, a, shop, w.email)
	if err == nil {
		return provision.Facts{publishableFact: key}, nil
	}
	if !shop.Proven {
		return nil, err
	}
	return stillSells(ctx, a, shop.Facts[publishableFact])
}

// Visit implements [provision.Engine]. Without a key a storefront is refused, in Medusa's own words.
func (Medusa) Visit(ctx context.Context, s provision.Store, shop provision.Shop) error {
	origin, err := originOf(s)
	if err != nil {
		return err
	}
	a := asker{client: shop.HTTP, origin: origin, outside: true}
	if err := checkHealth(ctx, a); err != nil {
		return err
	}
	answer, err := a.products(ctx, "")
	if err == nil && !answer.wantsAKey() {
		return answer.refused("this is not Medusa's answer to a storefront without a key")
	}
	return err
}

// workingKey logs in as the owner, reads a publishable key and uses it.
func workingKey(ctx context.Context, a asker, shop provision.Shop, email string) (string, error) {
	token, err := logIn(ctx, a, shop, email)
	if err != nil {
		return "", err
	}
	key, err := publishableKey(ctx, a, token)
	if err != nil {
		return "", err
	}
	return key, checkProducts(ctx, a, key)
}

// stillSells asks as a storefront with the key that is known. That Medusa does not take it any more is an answer, too, for
// which it has asked its database; the key is then no fact any more.
func stillSells(ctx context.Context, a asker, key string) (provision.Facts, error) {
	answer, err := a.products(ctx, cmp.Or(key, "pk_unknown"))
	switch {
	case err != nil:
		return nil, err
	case answer.listsProducts():
		return provision.Facts{publishableFact: key}, nil
	case answer.wantsAKey():
		return nil, nil
	}
	return nil, answer.refused("a storefront cannot list products")
}

func checkHealth(ctx context.Context, a asker) error {
	answer, err := a.ask(ctx, http.MethodGet, "/health", nil, nil)
	if err == nil && answer.status != http.StatusOK {
		return answer.refused("Medusa is not up")
	}
	return err
}

// logIn exchanges the owner's password for a token.
func logIn(ctx context.Context, a asker, shop provision.Shop, email string) (string, error) {
	password, err := shop.Credential(ctx, provision.AdminPassword)
	if err != nil {
		return "", err
	}
	login := map[string]string{"email": email, "password": password}
	answer, err := a.ask(ctx, http.MethodPost, "/auth/user/emailpass", login, nil)
	var body struct{ Token string }
	switch {
	case err != nil:
		return "", err
	case answer.status == http.StatusUnauthorized:
		return "", answer.refused("the store's password does not open its dashboard; it may have been changed there")
	case answer.status != http.StatusOK:
		return "", answer.refused("nobody can log in")
	case json.Unmarshal(answer.body, &body) != nil || body.Token == "":
		return "", answer.refused("the answer has no token")
	}
	return body.Token, nil
}

// publishableKey returns a key that a storefront may use: Medusa makes one at its first start.
func publishableKey(ctx context.Context, a asker, token string) (string, error) {
	answer, err := a.ask(ctx, http.MethodGet, "/admin/api-keys?type=publishable", nil, bearer(token))
	var body struct {
		Keys []struct {
			Token   string  `json:"token"`
			Revoked *string `json:"revoked_at"`
		} `json:"api_keys"`
	}
	switch {
	case err != nil:
		return "", err
	case answer.status != http.StatusOK:
		return "", answer.refused("the API keys were expected")
	case json.Unmarshal(answer.body, &body) != nil:
		return "", answer.refused("the answer is no list of API keys")
	}
	for _, key := range body.Keys {
		if key.Token != "" && key.Revoked == nil {
			return key.Token, nil
		}
	}
	return "", answer.refused("the shop has no publishable key")
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func checkProducts(ctx context.Context, a asker, key string) error {
	answer, err := a.products(ctx, key)
	switch {
	case err != nil:
		return err
	case answer.status != http.StatusOK:
		return answer.refused("a storefront cannot list products")
	case !answer.listsProducts():
		return answer.refused("the answer is no list of products")
	}
	return nil
}

// products asks as a storefront with a key does; "" is a storefront without one.
func (a asker) products(ctx context.Context, key string) (answer, error) {
	return a.ask(ctx, http.MethodGet, "/store/products?limit=1", nil, func(r *http.Request) {
		if key != "" {
			r.Header.Set("x-publishable-api-key", key)
		}
	})
}

func (a answer) listsProducts() bool {
	var body struct {
		Products *[]json.RawMessage `json:"products"`
	}
	return a.status == http.StatusOK && json.Unmarshal(a.body, &body) == nil && body.Products != nil
}

// wantsAKey is how Medusa refuses a storefront whose key is missing or not valid.
func (a answer) wantsAKey() bool {
	var body struct{ Type string }
	return a.status == http.StatusBadRequest && json.Unmarshal(a.body, &body) == nil && body.Type == "not_allowed"
}
