//go:build realcluster

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// medusa shops at Medusa, which has no shop window of its own: strangers come by the API that storefronts use, the owner
// by the one of the dashboard.
type medusa struct {
	*tour
	shops map[string]types.UID // by publishable key; a shop is known by its Secret
}

func (s medusa) browse(v *visitor, want provision.Settings) {
	v.t.Helper()
	if got := v.page("/health"); got != "OK" {
		v.t.Fatalf("GET /health answered %s", shorten(got))
	}
	v.refused(http.StatusBadRequest, http.MethodGet, "/store/products", nil)
	v.refused(http.StatusUnauthorized, http.MethodGet, "/admin/orders", nil)
	s.variant(v, s.key())
	if region := s.region(v, s.key()); !strings.EqualFold(region.Currency, want.Currency) {
		v.t.Fatalf("the region sells in %q, want %s", region.Currency, want.Currency)
	}
	if page := v.page("/app"); !strings.Contains(page, "<div id=\"medusa\"") {
		v.t.Fatalf("the dashboard's page is something else: %s", shorten(page))
	}
}

// key is the publishable key: the owner finds it in the dashboard and gives it to storefronts.
func (s medusa) key() []string {
	s.rig.t.Helper()
	owner := s.visit()
	var body struct {
		Keys []struct{ Token string } `json:"api_keys"`
	}
	owner.api(&body, http.MethodGet, "/admin/api-keys?type=publishable", nil, "Authorization", "Bearer "+s.token(owner, s.password))
	if len(body.Keys) == 0 {
		s.rig.t.Fatal("the shop has no publishable key")
	}
	key, shop := body.Keys[0].Token, s.credentials(s.store).UID
	if known, ok := s.shops[key]; ok && known != shop && !s.reborn {
		s.rig.t.Fatal("the shop has the publishable key of another one: both have it from the image")
	}
	s.shops[key] = shop
	return []string{"x-publishable-api-key", key}
}

func (s medusa) variant(v *visitor, key []string) string {
	v.t.Helper()
	var body struct {
		Products []struct {
			Title    string
			Variants []struct{ ID string }
		}
	}
	v.api(&body, http.MethodGet, "/store/products?handle=sample-t-shirt&fields=title,*variants", nil, key...)
	if len(body.Products) != 1 || len(body.Products[0].Variants) == 0 {
		v.t.Fatalf("the shop does not offer the sample product: %+v", body.Products)
	}
	return body.Products[0].Variants[0].ID
}

type region struct {
	ID       string
	Currency string `json:"currency_code"`
}

func (s medusa) region(v *visitor, key []string) region {
	v.t.Helper()
	var body struct{ Regions []region }
	v.api(&body, http.MethodGet, "/store/regions", nil, key...)
	if len(body.Regions) != 1 {
		v.t.Fatalf("the shop has %d regions, want one", len(body.Regions))
	}
	return body.Regions[0]
}

func (s medusa) fill(v *visitor) string {
	v.t.Helper()
	key := s.key()
	var opened struct{ Cart struct{ ID string } }
	v.api(&opened, http.MethodPost, "/store/carts", map[string]any{"region_id": s.region(v, key).ID}, key...)
	v.api(nil, http.MethodPost, "/store/carts/"+opened.Cart.ID+"/line-items", map[string]any{"variant_id": s.variant(v, key), "quantity": 2}, key...)
	return opened.Cart.ID + " " + key[1]
}

// basketOf is the id of a cart, and the header with the key that it was filled with.
func basketOf(basket string) (id string, key []string) {
	id, token, _ := strings.Cut(basket, " ")
	return id, []string{"x-publishable-api-key", token}
}

func (s medusa) addresses(v *visitor, basket string) {
	v.t.Helper()
	id, key := basketOf(basket)
	cart := "/store/carts/" + id
	post := func(into any, path string, body any) {
		v.t.Helper()
		v.api(into, http.MethodPost, path, body, key...)
	}
	guest := map[string]string{"first_name": "Greta", "last_name": "Gast", "address_1": "Hauptstr. 1", "city": "Berlin", "postal_code": "10115", "country_code": "de"}
	post(nil, cart, map[string]any{"email": "guest@example.com", "shipping_address": guest, "billing_address": guest})

	var shipping struct {
		Options []struct{ ID string } `json:"shipping_options"`
	}
	v.api(&shipping, http.MethodGet, "/store/shipping-options?cart_id="+id, nil, key...)
	if len(shipping.Options) == 0 {
		v.t.Fatal("the shop ships nothing to the guest")
	}
	post(nil, cart+"/shipping-methods", map[string]any{"option_id": shipping.Options[0].ID})
	var payment struct {
		Collection struct{ ID string } `json:"payment_collection"`
	}
	post(&payment, "/store/payment-collections", map[string]any{"cart_id": id})
	post(nil, "/store/payment-collections/"+payment.Collection.ID+"/payment-sessions", map[string]any{"provider_id": "pp_system_default"})
}

func (s medusa) place(v *visitor, basket string) (string, error) {
	id, key := basketOf(basket)
	a, err := v.try(http.MethodPost, "/store/carts/"+id+"/complete", nil, key...)
	if err != nil {
		return "", err
	}
	var completed struct {
		Type  string
		Order struct{ ID string }
		Error json.RawMessage
	}
	if err := json.Unmarshal(a.body, &completed); err != nil || completed.Type != "order" || completed.Order.ID == "" {
		return "", fmt.Errorf("the cart became no order but a %q (%d): %s", completed.Type, a.status, shorten(string(a.body)))
	}
	return completed.Order.ID, nil
}

func (s medusa) credentialsWith(password string) map[string]string {
	return map[string]string{"email": s.tour.store.Settings.AdminEmail, "password": password}
}

func (s medusa) token(v *visitor, password string) string {
	v.t.Helper()
	var body struct{ Token string }
	v.api(&body, http.MethodPost, "/auth/user/emailpass", s.credentialsWith(password))
	return body.Token
}

// login opens a session as the dashboard does, with a cookie that Medusa gives over TLS only.
func (s medusa) login(v *visitor, password string) {
	v.t.Helper()
	v.api(nil, http.MethodPost, "/auth/session", nil, "Authorization", "Bearer "+s.token(v, password))
	var me struct{ User struct{ Email string } }
	v.api(&me, http.MethodGet, "/admin/users/me", nil)
	if me.User.Email != s.tour.store.Settings.AdminEmail {
		v.t.Fatalf("the owner is logged in as %q", me.User.Email)
	}
}

func (s medusa) locksOut(v *visitor, password string) {
	v.t.Helper()
	v.refused(http.StatusUnauthorized, http.MethodPost, "/auth/user/emailpass", s.credentialsWith(password))
}

func (s medusa) upload(v *visitor, picture []byte) string {
	v.t.Helper()
	form, kind := pictureForm(v.t, "files", picture)
	var uploaded struct{ Files []struct{ URL string } }
	v.api(&uploaded, http.MethodPost, "/admin/uploads", form, "Content-Type", kind)
	if len(uploaded.Files) != 1 {
		v.t.Fatalf("one picture was uploaded, %d were taken", len(uploaded.Files))
	}
	if at := uploaded.Files[0].URL; !strings.HasPrefix(at, v.origin+"/") {
		v.t.Fatalf("the picture's URL is %q, which is not the shop's", uploaded.Files[0].URL)
	}
	return uploaded.Files[0].URL
}

func (s medusa) orders(v *visitor) map[string]bool {
	v.t.Helper()
	var body struct{ Orders []struct{ ID string } }
	v.api(&body, http.MethodGet, "/admin/orders?limit=50", nil)
	found := map[string]bool{}
	for _, o := range body.Orders {
		found[o.ID] = true
	}
	return found
}

func (s medusa) number(owner *visitor, id string) string {
	owner.t.Helper()
	var body struct {
		Order struct {
			Number int `json:"display_id"`
		}
	}
	owner.api(&body, http.MethodGet, "/admin/orders/"+id, nil)
	return fmt.Sprintf("#%d", body.Order.Number)
}

// saysNoMail asks what the dashboard's widget asks; whether it is shown is seen by the browser.
func (s medusa) saysNoMail(owner *visitor) bool {
	owner.t.Helper()
	var body struct{ Sends bool }
	owner.api(&body, http.MethodGet, "/admin/mail", nil)
	return !body.Sends
}

func (s medusa) settings(v *visitor, want provision.Settings) {
	v.t.Helper()
	var body struct {
		Stores []struct {
			Name       string
			Currencies []struct {
				Code    string `json:"currency_code"`
				Default bool   `json:"is_default"`
			} `json:"supported_currencies"`
		}
	}
	v.api(&body, http.MethodGet, "/admin/stores", nil)
	if len(body.Stores) != 1 || body.Stores[0].Name != want.Title {
		v.t.Fatalf("the stores are %+v, want one that is called %q", body.Stores, want.Title)
	}
	for _, c := range body.Stores[0].Currencies {
		if c.Default != strings.EqualFold(c.Code, want.Currency) {
			v.t.Fatalf("the currencies are %+v, want %s as the default", body.Stores[0].Currencies, want.Currency)
		}
	}
	s.browse(s.visit(), want)
}
