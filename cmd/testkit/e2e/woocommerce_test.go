//go:build realcluster

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"

	"orchestrator/provision"
)

// woocommerce shops at WooCommerce: strangers by the Store API that its cart and checkout blocks use, the owner by the
// pages of WordPress.
type woocommerce struct{ *tour }

func (s woocommerce) browse(v *visitor, want provision.Settings) {
	v.t.Helper()
	page := v.page("/shop/")
	switch {
	case strings.Contains(page, "woo-coming-soon-page"):
		v.t.Fatal("the shop shows its coming-soon page")
	case !strings.Contains(page, "Sample T-Shirt") || !strings.Contains(page, "add_to_cart"):
		v.t.Fatalf("the shop page does not offer the sample product: %s", shorten(page))
	case !strings.Contains(html.UnescapeString(html.UnescapeString(page)), want.Title):
		v.t.Fatalf("the shop page does not show the title %q", want.Title)
	}
	if got := v.ask(http.MethodGet, "/wp-admin/", nil); got.url.Path != "/wp-login.php" {
		v.t.Fatalf("a stranger at /wp-admin/ comes to %s", got.url.Path)
	}
	if got := s.currency(v); got != want.Currency {
		v.t.Fatalf("the cart is in %s, want %s", got, want.Currency)
	}
}

const storeAPI = "/wp-json/wc/store/v1"

func (s woocommerce) currency(v *visitor) string {
	v.t.Helper()
	var cart struct {
		Totals struct {
			Code string `json:"currency_code"`
		}
	}
	v.api(&cart, http.MethodGet, storeAPI+"/cart", nil)
	return cart.Totals.Code
}

func (s woocommerce) fill(v *visitor) string {
	v.t.Helper()
	var products []struct{ ID int }
	v.api(&products, http.MethodGet, storeAPI+"/products?sku=SAMPLE-1", nil)
	if len(products) != 1 {
		v.t.Fatalf("%d products have the sample's number", len(products))
	}
	cart := v.api(nil, http.MethodGet, storeAPI+"/cart", nil).header.Get("Cart-Token")
	v.api(nil, http.MethodPost, storeAPI+"/cart/add-item", map[string]any{"id": products[0].ID, "quantity": 1}, "Cart-Token", cart)
	return cart
}

func (s woocommerce) addresses(*visitor, string) {} // the order brings them

func (s woocommerce) place(v *visitor, cart string) (string, error) {
	guest := map[string]string{"first_name": "Greta", "last_name": "Gast", "address_1": "Hauptstr. 1", "city": "Berlin", "postcode": "10115",
		"country": "DE", "email": "guest@example.com", "phone": "030123456"}
	body := map[string]any{"billing_address": guest, "shipping_address": guest, "payment_method": "cod"}
	a, err := v.try(http.MethodPost, storeAPI+"/checkout", body, "Cart-Token", cart)
	if err != nil {
		return "", err
	}
	var order struct {
		ID      int `json:"order_id"`
		Status  string
		Payment struct {
			Status string `json:"payment_status"`
		} `json:"payment_result"`
	}
	if err := json.Unmarshal(a.body, &order); err != nil || order.ID == 0 || order.Status != "processing" || order.Payment.Status != "success" {
		return "", fmt.Errorf("the checkout answered %d: the guest's order %d is %q, its payment %q; want processing and success: %s",
			a.status, order.ID, order.Status, order.Payment.Status, shorten(string(a.body)))
	}
	return fmt.Sprint(order.ID), nil
}

func (s woocommerce) submitLogin(v *visitor, password string) answer {
	v.t.Helper()
	v.page("/wp-login.php") // for the cookie that WordPress tries the browser with
	form := url.Values{"log": {"admin"}, "pwd": {password}, "wp-submit": {"Log In"}, "redirect_to": {v.origin + "/wp-admin/"}, "testcookie": {"1"}}
	return v.ask(http.MethodPost, "/wp-login.php", form)
}

func (s woocommerce) login(v *visitor, password string) {
	v.t.Helper()
	a := s.submitLogin(v, password)
	if a.status != http.StatusOK || !strings.HasPrefix(a.url.Path, "/wp-admin/") || !strings.Contains(string(a.body), `id="adminmenu"`) {
		v.t.Fatalf("the reported password does not lead to the dashboard but to %s (%d): %s", a.url.Path, a.status, shorten(string(a.body)))
	}
}

func (s woocommerce) locksOut(v *visitor, password string) {
	v.t.Helper()
	a := s.submitLogin(v, password)
	if a.url.Path != "/wp-login.php" || !strings.Contains(string(a.body), "login_error") {
		v.t.Fatalf("a wrong password leads to %s (%d)", a.url.Path, a.status)
	}
}

func (s woocommerce) upload(v *visitor, picture []byte) string {
	v.t.Helper()
	form, kind := pictureForm(v.t, "file", picture)
	nonce := v.page("/wp-admin/admin-ajax.php?action=rest-nonce")
	var media struct {
		URL string `json:"source_url"`
	}
	v.api(&media, http.MethodPost, "/wp-json/wp/v2/media", form, "Content-Type", kind, "X-WP-Nonce", nonce)
	return media.URL
}

func (s woocommerce) number(_ *visitor, id string) string { return "#" + id }

func (s woocommerce) saysNoMail(owner *visitor) bool {
	owner.t.Helper()
	return strings.Contains(owner.page("/wp-admin/"), "This shop sends no e-mail.")
}

// orders asks with the keys of the Secret, which WooCommerce takes over TLS only.
func (s woocommerce) orders(v *visitor) map[string]bool {
	v.t.Helper()
	v.refused(http.StatusUnauthorized, http.MethodGet, "/wp-json/wc/v3/orders", nil)
	var list []struct {
		ID     int
		Status string
	}
	v.api(&list, http.MethodGet, "/wp-json/wc/v3/orders?per_page=50", nil, "Authorization", s.keys())
	found := map[string]bool{}
	for _, o := range list {
		if o.Status != "checkout-draft" { // a basket at the checkout
			found[fmt.Sprint(o.ID)] = true
		}
	}
	return found
}

func (s woocommerce) keys() string {
	data := s.credentials(s.tour.store).Data
	pair := string(data["rest-consumer-key"]) + ":" + string(data["rest-consumer-secret"])
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func (s woocommerce) settings(v *visitor, want provision.Settings) {
	v.t.Helper()
	var site struct{ Name string }
	v.api(&site, http.MethodGet, "/wp-json/?_fields=name", nil)
	if got := html.UnescapeString(site.Name); got != want.Title {
		v.t.Fatalf("the shop is called %q, want %q", got, want.Title)
	}
	s.browse(s.visit(), want)
}
