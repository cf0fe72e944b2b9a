//go:build realcluster

package e2e

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// buyer is a shopper that can also be one in a real browser.
type buyer interface {
	buy(w *window) string                    // as a guest, to the end; the number that the owner sees
	look(w *window, password, number string) // as the owner, at the order of this number
	harmless() []harmless
	logged() *regexp.Regexp // what no line of the shop's log may match
}

// noBrowser says why no browser is used, or "".
func (tr *tour) noBrowser() string {
	switch {
	case tr.front == nil:
		return "LEFT OUT: a browser needs FRONT"
	case os.Getenv("ORCH_TEST_CHROMIUM") == "":
		return "LEFT OUT: there is no chromium"
	}
	return ""
}

func (tr *tour) guestBrowses() string {
	b, ok := tr.shopper.(buyer)
	if why := tr.noBrowser(); why != "" || !ok {
		return why
	}
	w := tr.newWindow("guest", b.harmless()...)
	tr.number = b.buy(w)
	return fmt.Sprintf("order %s; %s", tr.number, w.fine())
}

func (tr *tour) ownerBrowses() string {
	b, ok := tr.shopper.(buyer)
	if why := tr.noBrowser(); why != "" || !ok {
		return why
	}
	w := tr.newWindow("owner", b.harmless()...)
	b.look(w, tr.password, tr.number)
	seen := w.fine()
	tr.quiet(b.logged())
	return fmt.Sprintf("logged in, sees order %s; %s; the logs are quiet", tr.number, seen)
}

// quiet ends the test if a line in a log of the shop's pods is one of these.
func (tr *tour) quiet(wrong *regexp.Regexp) {
	t := tr.rig.t
	t.Helper()
	tr.logs(tr.store, func(pod, container, text string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if found := wrong.FindAllString(text, 5); len(found) > 0 {
			t.Fatalf("container %s of pod %s has logged:\n  %s", container, pod, strings.Join(found, "\n  "))
		}
	})
}

var guestFields = [][2]string{{"first_name", "Greta"}, {"last_name", "Gast"}, {"address_1", "Hauptstr. 1"}, {"city", "Berlin"}}

func (s woocommerce) harmless() []harmless { return nil }

func (s woocommerce) logged() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^.*PHP (?:Notice|Warning|Deprecated|Fatal error|Parse error|Recoverable fatal error).*$`)
}

func (s woocommerce) buy(w *window) string {
	w.t.Helper()
	w.open("/shop/")
	w.shows("Sample T-Shirt")
	w.shoot("1-shop")
	w.click(`a[href*="/product/"]`)
	w.until("the product can be bought", `document.querySelector(".single_add_to_cart_button")`)
	w.shoot("2-product")
	w.click(".single_add_to_cart_button")
	w.until("it is in the cart", `/added to (your )?cart/i.test(document.body.innerText)`)
	w.open("/cart/")
	w.until("the cart has it", `document.querySelector(".wc-block-cart__submit-button") && document.body.innerText.includes("Sample T-Shirt")`)
	w.shoot("3-cart")
	w.click(".wc-block-cart__submit-button")
	w.checkOut()
	w.until("the order is received", `/order-received/.test(location.pathname) && document.body.innerText.includes("Sample T-Shirt")`)
	w.shoot("5-received")
	number := regexp.MustCompile(`order-received/(\d+)`).FindStringSubmatch(w.peek())
	if number == nil {
		w.t.Fatalf("the order has no number: %s", w.peek())
	}
	return number[1]
}

// checkOut fills in the checkout of WooCommerce's blocks and places the order.
func (w *window) checkOut() {
	w.t.Helper()
	w.fill("#email", "guest@example.com")
	address := "billing"
	if w.is(`document.getElementById("shipping-first_name")`) {
		address = "shipping"
	}
	for _, field := range append(guestFields, [2]string{"postcode", "10115"}) {
		w.fill("#"+address+"-"+field[0], field[1])
	}
	w.run(`document.activeElement.blur()`) // the address goes to the shop when the last field is left
	w.settle()
	w.until("there is a way to pay", `document.querySelector("#radio-control-wc-payment-method-options-cod")?.checked || document.querySelector(".wc-block-components-radio-control--highlight-checked")`)
	w.shoot("4-checkout")
	w.settle()
	w.click(".wc-block-components-checkout-place-order-button")
}

func (s woocommerce) look(w *window, password, number string) {
	w.t.Helper()
	w.open("/wp-login.php")
	w.shoot("1-login")
	w.fill("#user_login", "admin")
	w.fill("#user_pass", password)
	w.click("#wp-submit")
	w.until("the dashboard is there", `location.pathname.startsWith("/wp-admin/") && document.getElementById("adminmenu")`)
	w.shoot("2-dashboard")
	w.open("/wp-admin/admin.php?page=wc-orders")
	w.shows("#" + number)
	w.shoot("3-orders")
	w.open("/wp-admin/admin.php?page=wc-orders&action=edit&id=" + number)
	w.shows("guest@example.com")
	w.shoot("4-order")
}

//go:embed testdata/storefront.html
var storefrontPage []byte

// serveStorefront serves a storefront whose origin is not the shop's.
func serveStorefront(t *testing.T) (origin string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(storefrontPage)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (s medusa) harmless() []harmless {
	return []harmless{
		{regexp.MustCompile(`^401 .*/admin/users/me`), "the dashboard asks who is logged in before it shows its login"},
	}
}

func (s medusa) logged() *regexp.Regexp {
	return regexp.MustCompile(`(?mi)^(?:error:|\{"level":"error").*$`)
}

func (s medusa) buy(w *window) string {
	w.t.Helper()
	s.letsIn(s.front.storefront, true)
	s.letsIn("https://elsewhere.example.com", false)
	w.visit(s.front.storefront + "/?" + url.Values{"shop": {w.origin}, "key": {s.key()[1]}}.Encode())
	w.shows("Sample T-Shirt")
	w.shoot("1-shop")
	w.click("section button")
	w.shows("2 ×")
	w.shoot("2-cart")
	w.click("#page > button")
	w.fill("#email", "guest@example.com")
	for _, field := range append(guestFields, [2]string{"postal_code", "10115"}) {
		w.fill("#"+field[0], field[1])
	}
	w.shoot("3-checkout")
	w.click("form button")
	w.until("the order is received", `document.getElementById("order")`)
	w.shoot("4-received")
	return w.text(`document.getElementById("order").textContent`)
}

// letsIn checks whether a browser lets pages of an origin call the shop.
func (s medusa) letsIn(origin string, want bool) {
	s.rig.t.Helper()
	a := s.visit().ask(http.MethodOptions, "/store/carts", nil, "Origin", origin, "Access-Control-Request-Method", http.MethodPost)
	if got := a.header.Get("Access-Control-Allow-Origin"); (got == origin || got == "*") != want {
		s.rig.t.Fatalf("pages of %s may call the shop: %t, want %t (Access-Control-Allow-Origin: %q)", origin, !want, want, got)
	}
}

func (s medusa) look(w *window, password, number string) {
	w.t.Helper()
	w.open("/app")
	w.until("the login is there", `document.querySelector("input[name=email]")`)
	w.shoot("1-login")
	w.fill("input[name=email]", s.tour.store.Settings.AdminEmail)
	w.fill("input[name=password]", password)
	w.click("button[type=submit]")
	w.until("the dashboard is there", `location.pathname.startsWith("/app/") && !location.pathname.includes("login") && document.querySelector("nav, aside")`)
	w.open("/app/orders")
	w.shows("#" + number)
	if s.mailbox == nil {
		w.shows("This shop sends no e-mail.")
	}
	w.shoot("2-orders")
	w.settle()
	w.run(fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find((row) => row.innerText.includes("#%s")).querySelector("a").click()`, number))
	w.until("the order is shown", `/\/orders\/order_/.test(location.pathname) && document.body.innerText.includes("Hauptstr. 1")`)
	w.shoot("3-order")
}
