package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

const sesame = "s3same-never-to-be-quoted"

// forwarded adds the headers that the cluster's port-forward adds, and dials the one server whatever the URL's host is.
type forwarded struct{ next http.RoundTripper }

func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-Proto", r.URL.Scheme)
	r.URL.Scheme = "http"
	return f.next.RoundTrip(r)
}

func shopAt(t *testing.T, handler http.Handler) provision.Shop {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return provision.Shop{
		HTTP: &http.Client{
			Transport:     forwarded{transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Credential: func(_ context.Context, key string) (string, error) { return sesame + "-" + key, nil },
	}
}

// routes answers by "METHOD /path"; what is not there is 404.
type routes map[string]http.HandlerFunc

func (r routes) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Host != "shop-1.example.com" {
		http.Error(w, "wrong host "+q.Host, http.StatusMisdirectedRequest)
		return
	}
	handler, ok := r[q.Method+" "+q.URL.Path]
	if !ok {
		handler = http.NotFound
	}
	handler(w, q)
}

// with returns the routes with some answered otherwise.
func (r routes) with(path string, handler http.HandlerFunc) routes {
	changed := routes{}
	for p, h := range r {
		changed[p] = h
	}
	changed[path] = handler
	return changed
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func leads(status int, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
}

// verifyCase is a shop and the error that the caller reads; "" means that the shop passes.
type verifyCase struct {
	name string
	shop routes
	want string

	verified          bool
	outputs, returned provision.Outputs
}

// unverified is a shop that was never verified before.
func unverified(name string, shop routes, want string) verifyCase {
	return verifyCase{name: name, shop: shop, want: want}
}

// verified is a shop that has passed its verification before.
func verified(name string, shop routes, want string) verifyCase {
	return verifyCase{name: name, shop: shop, want: want, verified: true}
}

// knowing is the shop whose key was an output.
func (m verifyCase) knowing(key string) verifyCase {
	m.outputs = provision.Outputs{"publishable_key": key}
	return m
}

// returns is the shop whose key becomes an output.
func (m verifyCase) returns(key string) verifyCase {
	m.returned = provision.Outputs{"publishable_key": key}
	return m
}

func check(t *testing.T, engineName string, cases []verifyCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			shop := shopAt(t, c.shop)
			shop.VerifiedBefore, shop.Outputs = c.verified, c.outputs
			outputs, err := engine.All()[engineName].Verify(t.Context(), store(engineName, wanted), shop)
			if diff := cmp.Diff(c.returned, outputs); diff != "" {
				t.Errorf("the outputs differ (-want +got):\n%s", diff)
			}
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("a working shop is refused: %v", err)
			case c.want == "":
				return
			case err == nil:
				t.Fatal("the shop passes")
			}
			if got := provision.Public(err); got != c.want {
				t.Errorf("the caller reads\n%s, want\n%s", got, c.want)
			}
			if provision.CodeOf(err) != provision.CodeUnavailable || strings.Contains(err.Error(), sesame) {
				t.Errorf("code %s, text %q", provision.CodeOf(err), err)
			}
		})
	}
}

const (
	comingSoon = `<meta name='woo-coming-soon-page' content='yes'><body class="woocommerce">`
	keyRefused = `{"type":"not_allowed","message":"A valid publishable key is required to proceed with the request"}`
)

const shopPage = `<html><body class="woocommerce-shop woocommerce-page"><ul class="products"></ul></body></html>`

var wordpress = routes{
	"GET /shop/": says(200, shopPage),
	"GET /wp-json/wc/v3/products": func(w http.ResponseWriter, r *http.Request) {
		key, password, _ := r.BasicAuth()
		if r.Header.Get("X-Forwarded-Proto") != "https" || key != sesame+"-rest-consumer-key" || password != sesame+"-rest-consumer-secret" {
			says(401, `{"code":"woocommerce_rest_cannot_view"}`)(w, r)
			return
		}
		says(200, `[{"id":1}]`)(w, r)
	},
}

func TestWooCommerceVerify(t *testing.T) {
	const products = "GET /wp-json/wc/v3/products"
	check(t, "woocommerce", []verifyCase{
		unverified("well", wordpress, ""),
		unverified("a renamed shop page", wordpress.with("GET /shop/", http.NotFound).with("GET /", leads(301, "https://shop-1.example.com/laden/")).with("GET /laden/", says(200, shopPage)), ""),
		unverified(
			"not installed", wordpress.with("GET /shop/", leads(302, "/wp-admin/install.php")),
			"GET /shop/ answered 302 to /wp-admin/install.php: WordPress is not installed",
		),
		unverified(
			"installer elsewhere", wordpress.with("GET /shop/", leads(302, "http://shop-1.example.com:8080/wp-admin/install.php")),
			"GET /shop/ answered 302 to http://shop-1.example.com:8080: a shop page was expected",
		),
		unverified(
			"redirect to itself", wordpress.with("GET /shop/", leads(301, "https://shop-1.example.com/shop/")),
			"GET /shop/ answered 301 to /shop/: the shop redirects in a circle",
		),
		unverified(
			"redirect in a circle", wordpress.with("GET /shop/", leads(302, "/a")).with("GET /a", leads(302, "/shop/")),
			"GET /a answered 302 to /shop/: the shop redirects in a circle",
		),
		unverified(
			"endless redirects", wordpress.with("GET /shop/", leads(302, "/1")).with("GET /1", leads(302, "/2")).with("GET /2", leads(302, "/3")).
				with("GET /3", leads(302, "/4")).with("GET /4", leads(302, "/5")),
			"GET /5 is the end of 5 redirects: the shop keeps redirecting",
		),
		unverified(
			"another host", wordpress.with("GET /shop/", leads(301, "https://other.example.com/x?"+sesame)),
			"GET /shop/ answered 301 to https://other.example.com: a shop page was expected",
		),
		unverified(
			"coming soon", wordpress.with("GET /shop/", says(200, `<meta name='woo-coming-soon-page' content='yes'><body class="woocommerce">`)),
			"GET /shop/ answered 200: the shop shows its coming-soon page",
		),
		unverified(
			"database away", wordpress.with("GET /shop/", says(500, "Error establishing a database connection")),
			"GET /shop/ answered 500: a shop page was expected",
		),
		unverified(
			"warming up", wordpress.with("GET /shop/", http.NotFound),
			"GET /?post_type=product answered 404: a shop page was expected",
		),
		unverified(
			"no WooCommerce", wordpress.with("GET /shop/", says(200, "It works!")),
			"GET /shop/ answered 200: the page is not one of WooCommerce",
		),
		unverified(
			"keys unknown", wordpress.with(products, says(401, sesame)),
			"GET /wp-json/wc/v3/products?per_page=1 answered 401: WooCommerce does not accept the orchestrator's keys",
		),
		unverified(
			"API away", wordpress.with(products, http.NotFound),
			"GET /wp-json/wc/v3/products?per_page=1 answered 404: WooCommerce's API does not work",
		),
		verified("a shop that opens soon", wordpress.with("GET /shop/", says(200, comingSoon)), ""),
		verified("under maintenance", wordpress.with("GET /shop/", says(503, "Briefly unavailable for scheduled maintenance.")), ""),
		verified("a shop of its own making", wordpress.with("GET /shop/", leads(301, "https://other.example.com/")), ""),
		verified("keys deleted by the owner", wordpress.with(products, says(401, "")), ""),
		verified("neither page nor keys", wordpress.with("GET /shop/", says(503, "")).with(products, says(401, "")), "GET /shop/ answered 503: a shop page was expected"),
		verified("database away", wordpress.with("GET /shop/", says(500, "")).with(products, says(500, "")), "GET /shop/ answered 500: a shop page was expected"),
		verified("database empty", wordpress.with("GET /shop/", leads(302, "/wp-admin/install.php")), "GET /shop/ answered 302 to /wp-admin/install.php: WordPress is not installed"),
		unverified(
			"API says nonsense", wordpress.with(products, says(200, `<b>Notice</b>`+sesame)),
			"GET /wp-json/wc/v3/products?per_page=1 answered 200: the answer is not a list of products",
		),
	})
}

var medusa = routes{
	"GET /health": says(200, "OK"),
	"POST /auth/user/emailpass": func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 200)
		n, _ := r.Body.Read(body)
		if want := fmt.Sprintf(`{"email":"kaethe@example.org","password":"%s-admin-password"}`, sesame); string(body[:n]) != want {
			says(401, `{"type":"unauthorized"}`)(w, r)
			return
		}
		says(200, `{"token":"`+sesame+`-token"}`)(w, r)
	},
	"GET /admin/api-keys": func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+sesame+"-token" || r.URL.Query().Get("type") != "publishable" {
			says(401, "")(w, r)
			return
		}
		says(200, `{"api_keys":[{"token":"pk_old","revoked_at":"2026-01-01"},{"token":"pk_1","revoked_at":null}]}`)(w, r)
	},
	"GET /store/products": func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("x-publishable-api-key") != "pk_1" {
			says(400, "")(w, r)
			return
		}
		says(200, `{"products":[],"count":0}`)(w, r)
	},
}

func TestMedusaVerify(t *testing.T) {
	const login, keys, products = "POST /auth/user/emailpass", "GET /admin/api-keys", "GET /store/products"
	check(t, "medusa", []verifyCase{
		unverified("well", medusa, "").returns("pk_1"),
		unverified("not up", medusa.with("GET /health", says(503, "")), "GET /health answered 503: Medusa is not up"),
		unverified(
			"other password", medusa.with(login, says(401, sesame)),
			"POST /auth/user/emailpass answered 401: the store's password does not open its dashboard; it may have been changed there",
		),
		unverified("no login", medusa.with(login, says(500, "")), "POST /auth/user/emailpass answered 500: the login failed"),
		unverified("no token", medusa.with(login, says(200, `{"location":"x"}`)), "POST /auth/user/emailpass answered 200: the answer has no token"),
		unverified("no keys", medusa.with(keys, says(200, `{"api_keys":[]}`)), "GET /admin/api-keys?type=publishable answered 200: the shop has no publishable key"),
		unverified("only old keys", medusa.with(keys, says(200, `{"api_keys":[{"token":"pk_1","revoked_at":"2026-01-01"}]}`)), "GET /admin/api-keys?type=publishable answered 200: the shop has no publishable key"),
		unverified("keys are refused", medusa.with(keys, says(401, "")), "GET /admin/api-keys?type=publishable answered 401: a list of API keys was expected"),
		unverified("keys are nonsense", medusa.with(keys, says(200, "hello")), "GET /admin/api-keys?type=publishable answered 200: the answer is not a list of API keys"),
		unverified("no products", medusa.with(products, says(400, "")), "GET /store/products?limit=1 answered 400: a storefront cannot list products"),
		verified("well, and known", medusa, "").knowing("pk_0").returns("pk_1"),
		verified("the owner's own password", medusa.with(login, says(401, "")), "").knowing("pk_1").returns("pk_1"),
		verified("the owner's own password, and keys", medusa.with(login, says(401, "")).with(products, says(400, keyRefused)), "").knowing("pk_0"),
		verified("all keys revoked", medusa.with(keys, says(200, `{"api_keys":[]}`)).with(products, says(400, keyRefused)), "").knowing("pk_1"),
		verified("nothing known of it", medusa.with(login, says(401, "")).with(products, says(400, keyRefused)), ""),
		verified("away behind the login", medusa.with(login, says(401, "")).with(products, says(500, "")), "GET /store/products?limit=1 answered 500: a storefront cannot list products").knowing("pk_1"),
		verified("refuses for another reason", medusa.with(login, says(500, "")).with(products, says(400, `{"type":"invalid_data"}`)), "GET /store/products?limit=1 answered 400: a storefront cannot list products").knowing("pk_1"),
		verified("not up any more", medusa.with("GET /health", says(503, "")), "GET /health answered 503: Medusa is not up").knowing("pk_1"),
		unverified("products are nonsense", medusa.with(products, says(200, "{}")), "GET /store/products?limit=1 answered 200: the answer is not a list of products"),
	})
}

func TestVerifyOfAShopThatDoesNotAnswer(t *testing.T) {
	for _, name := range engine.Names() {
		shop := shopAt(t, routes{})
		shop.HTTP.Transport = refusing{}
		_, err := engine.All()[name].Verify(t.Context(), store(name, wanted), shop)
		if provision.CodeOf(err) != provision.CodeUnavailable || !strings.HasSuffix(provision.Public(err), "got no answer: the shop does not accept connections yet") {
			t.Errorf("%s: %s: %v", name, provision.CodeOf(err), err)
		}
	}
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	for _, name := range engine.Names() {
		ctx, cancel := context.WithCancel(t.Context())
		hangs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
		if _, err := engine.All()[name].Verify(ctx, store(name, wanted), shopAt(t, hangs)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVerifyReadsNoMoreThanItNeeds: a shop may send for ever, and Verify stops reading.
func TestVerifyReadsNoMoreThanItNeeds(t *testing.T) {
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for block := []byte(strings.Repeat("woocommerce ", 5000)); r.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	_, err := engine.All()["woocommerce"].Verify(t.Context(), store("woocommerce", wanted), shopAt(t, endless))
	if want := "GET /wp-json/wc/v3/products?per_page=1 answered 200: the answer is not a list of products"; provision.Public(err) != want {
		t.Errorf("%v", err)
	}
}

func TestVerifyReportsAMissingCredential(t *testing.T) {
	for name, handler := range map[string]routes{"woocommerce": wordpress, "medusa": medusa} {
		shop := shopAt(t, handler)
		shop.Credential = func(context.Context, string) (string, error) { return "", provision.ErrNoCredentials }
		if _, err := engine.All()[name].Verify(t.Context(), store(name, wanted), shop); !errors.Is(err, provision.ErrNoCredentials) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
