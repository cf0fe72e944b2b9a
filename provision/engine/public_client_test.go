package engine_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// publicShop is a shop at its public address: one listener for every name, and the certificates that the client trusts.
type publicShop struct {
	listener net.Addr
	trusts   *x509.CertPool
	dial     func() (net.Conn, error)
}

func (s publicShop) verifyPublic(t *testing.T, name string, verified bool, storeURL string) error {
	t.Helper()
	client := engine.PublicClient(engine.PublicAccess{})
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: s.trusts}
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		if s.dial != nil {
			return s.dial()
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.listener.String())
	}
	wanted := store(name, wanted)
	wanted.StoreURL = storeURL
	// Credential is nil: a request for one would panic.
	return engine.All()[name].VerifyPublic(t.Context(), wanted, provision.Shop{HTTP: client, VerifiedBefore: verified})
}

// anonymous fails the test when a request carries a credential.
func anonymous(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, header := range []string{"Authorization", "Cookie", "X-Publishable-Api-Key", "X-Orchestrator-Token"} {
			if r.Header.Get(header) != "" {
				t.Errorf("%s %s carries %s", r.Method, r.URL, header)
			}
		}
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		next.ServeHTTP(w, r)
	})
}

const publicURL = "https://shop-1.example.com"

// overTLS serves a shop under a certificate that is valid for its host.
func overTLS(t *testing.T, shop http.Handler) publicShop {
	t.Helper()
	return serveTLS(t, shop, "shop-1.example.com")
}

func serveTLS(t *testing.T, shop http.Handler, name string) publicShop {
	t.Helper()
	server := httptest.NewUnstartedServer(anonymous(t, shop))
	server.Config.ErrorLog = silentLog()
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, name)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(server.TLS.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(leaf)
	return publicShop{listener: server.Listener.Addr(), trusts: pool}
}

// refusal compares what the caller would read with what it should be; "" is a working shop.
func refusal(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("a working shop is refused: %v", err)
	case want != "" && err == nil:
		t.Errorf("the shop passes, want %q", want)
	case want != "" && (provision.CodeOf(err) != provision.CodeUnavailable || provision.Public(err) != want):
		t.Errorf("the caller reads\n%s, want\n%s", provision.Public(err), want)
	}
}

func TestWooCommerceVerifyPublic(t *testing.T) {
	const page = "GET " + publicURL + "/shop/"
	index := wordpress.with("GET /wp-json/", says(200, `{"name":"x","namespaces":["wc/v3"]}`))
	for name, test := range map[string]struct {
		shop     routes
		verified bool
		want     string
	}{
		"well":                {wordpress, false, ""},
		"well and verified":   {wordpress, true, ""},
		"coming soon":         {wordpress.with("GET /shop/", says(200, comingSoon)), false, page + " answered 200: the shop shows its coming-soon page"},
		"opens soon":          {wordpress.with("GET /shop/", says(200, comingSoon+`<img src="/wp-content/x">`)), true, ""},
		"under maintenance":   {index.with("GET /shop/", says(503, "")), true, ""},
		"no ingress":          {routes{}, false, "GET " + publicURL + "/?post_type=product answered 404: a shop page was expected"},
		"no ingress any more": {routes{}, true, "GET " + publicURL + "/?post_type=product answered 404: a shop page was expected"},
		"no pods":             {routes{"GET /shop/": says(503, "")}, true, page + " answered 503: a shop page was expected"},
		"installer":           {index.with("GET /shop/", leads(302, "/wp-admin/install.php")), true, page + " answered 302 to /wp-admin/install.php: WordPress is not installed"},
		"told of plain http":  {wordpress.with("GET /wp-login.php", leads(302, publicURL+"/wp-login.php")), true, "GET " + publicURL + "/wp-login.php answered 302 to /wp-login.php: the login leads to itself, because the shop is told by X-Forwarded-Proto that its visitors come by plain http; if TLS ends before the ingress controller, set common.ingress.tls.endsBefore"},
		"another login":       {wordpress.with("GET /wp-login.php", leads(302, "/my-account/")), false, ""},
		"another host":        {wordpress.with("GET /shop/", leads(301, "https://other.example.com/")), false, page + " answered 301 to https://other.example.com: a shop page was expected"},
	} {
		t.Run(name, func(t *testing.T) {
			refusal(t, overTLS(t, test.shop).verifyPublic(t, "woocommerce", test.verified, publicURL), test.want)
		})
	}
}

func TestMedusaVerifyPublic(t *testing.T) {
	open := medusa.with("GET /store/products", says(400, keyRefused))
	for name, test := range map[string]struct {
		shop routes
		want string
	}{
		"well":          {open, ""},
		"not up":        {open.with("GET /health", says(502, "")), "GET " + publicURL + "/health answered 502: Medusa is not up"},
		"not a Medusa":  {routes{"GET /health": says(200, "OK")}, "GET " + publicURL + "/store/products?limit=1 answered 404: this is not Medusa's answer to a storefront without a key"},
		"no way behind": {open.with("GET /store/products", says(504, "")), "GET " + publicURL + "/store/products?limit=1 answered 504: this is not Medusa's answer to a storefront without a key"},
	} {
		t.Run(name, func(t *testing.T) {
			refusal(t, overTLS(t, test.shop).verifyPublic(t, "medusa", false, publicURL), test.want)
		})
	}
}

// Where the operator says where shops are, DNS is not asked, and the address may be of any kind; the certificate still has to be the shop's.
func TestPublicClientConnectsToTheGivenAddress(t *testing.T) {
	shop := serveTLS(t, wordpress, "shop-1.invalid")
	host, port, err := net.SplitHostPort(shop.listener.String())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		access engine.PublicAccess
		want   string
	}{
		"and trusts its authority": {engine.PublicAccess{Address: host, Authorities: shop.trusts}, ""},
		"and no other":             {engine.PublicAccess{Address: host}, "x509: certificate signed by unknown authority"},
		"and else asks DNS":        {engine.PublicAccess{Authorities: shop.trusts}, "no such host"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := engine.PublicClient(test.access).Get("https://shop-1.invalid:" + port + "/shop/")
			if err == nil {
				resp.Body.Close()
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// From http to https and back to the page: most ingresses redirect a shopper like this.
func TestPublicClientFollowsToTLS(t *testing.T) {
	secure := overTLS(t, wordpress)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusPermanentRedirect)
	}))
	t.Cleanup(plain.Close)
	secure.dial = firstTo(plain, secure)
	refusal(t, secure.verifyPublic(t, "woocommerce", false, "http://shop-1.example.com"), "")
}

// TestWooCommerceVerifyPublicSeesTheInstallerBehindTLS: the client itself follows from http to https, and ends on the
// installer's page.
func TestWooCommerceVerifyPublicSeesTheInstallerBehindTLS(t *testing.T) {
	secure := overTLS(t, routes{"GET /wp-admin/install.php": says(200, "woocommerce /wp-content/")})
	plain := httptest.NewServer(leads(http.StatusFound, "https://shop-1.example.com/wp-admin/install.php"))
	t.Cleanup(plain.Close)
	secure.dial = firstTo(plain, secure)
	refusal(t, secure.verifyPublic(t, "woocommerce", true, "http://shop-1.example.com"), "GET http://shop-1.example.com/shop/ answered 200: WordPress is not installed")
}

// firstTo dials the plain server once, and the other one from then on.
func firstTo(plain *httptest.Server, then publicShop) func() (net.Conn, error) {
	first := true
	return func() (net.Conn, error) {
		to := then.listener
		if first {
			to, first = plain.Listener.Addr(), false
		}
		return net.Dial("tcp", to.String())
	}
}

func TestPublicClientNamesTheTransportError(t *testing.T) {
	const asked = "GET " + publicURL + "/health got no answer: "
	good := overTLS(t, medusa)
	untrusted, other, plain := good, serveTLS(t, medusa, "other.example.com"), httptest.NewServer(medusa)
	t.Cleanup(plain.Close)
	untrusted.trusts = x509.NewCertPool()
	for name, test := range map[string]struct {
		way  publicShop
		want string
	}{
		"no name":               {failing(&net.DNSError{Name: "shop-1.example.com", Err: "no such host", IsNotFound: true}), "the name shop-1.example.com does not exist in DNS"},
		"no name server":        {failing(&net.DNSError{Name: "shop-1.example.com", Err: "server misbehaving"}), "the name shop-1.example.com could not be looked up in DNS"},
		"unknown authority":     {untrusted, "TLS: its certificate is not accepted: x509: "},
		"another's certificate": {other, "TLS: its certificate is not accepted: x509: certificate is valid for other.example.com, not shop-1.example.com"},
		"no TLS":                {publicShop{listener: plain.Listener.Addr()}, "TLS: the server speaks plain HTTP on this port"},
		"refused":               {publicShop{listener: closed(t)}, "the connection is refused"},
		"cut off":               {failing(errors.New("reset")), "the shop does not accept connections yet"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.way.verifyPublic(t, "medusa", false, publicURL)
			if provision.CodeOf(err) != provision.CodeUnavailable || !strings.HasPrefix(provision.Public(err), asked+test.want) {
				t.Errorf("the caller reads\n%v, want\n%s", err, asked+test.want)
			}
		})
	}
}

func failing(err error) publicShop {
	return publicShop{dial: func() (net.Conn, error) { return nil, err }}
}

// closed is an address on which nothing listens.
func closed(t *testing.T) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr()
}

// certificate is one that signs itself, for one name.
func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func silentLog() *log.Logger { return log.New(io.Discard, "", 0) }
