package shop

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask sends one request; headers are "Name: value".
func ask(s http.Handler, method, path, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "a.example.com:8080"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	https = "X-Forwarded-Proto: https"
	basic = "Authorization: Basic Y2s6Y3M=" // ck:cs
	form  = "Content-Type: application/x-www-form-urlencoded"
)

func TestShopThatBehaves(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://a.example.com/", nil)
	bearer, key := "Authorization: Bearer "+bearerOf(r), "x-publishable-api-key: "+publishableKeyOf(r)
	for _, c := range []struct {
		method, path, body string
		headers            []string
		status             int
		contains           string
	}{
		{"GET", "/", "", nil, 200, "woocommerce-shop"},
		{"GET", "/shop/", "", nil, 200, "woocommerce-shop"},
		{"GET", "/wp-login.php", "", nil, 200, "loginform"},
		{"POST", "/wp-login.php", "log=admin&pwd=secret", []string{form}, 302, ""},
		{"POST", "/wp-login.php", "log=admin&pwd=", []string{form}, 200, "login_error"},
		{"GET", "/wp-json/", "", nil, 200, "wc/v3"},
		{"GET", "/wp-json/wc/v3/products", "", []string{https, basic}, 200, "Sample"},
		{"GET", "/wp-json/wc/v3/orders?consumer_key=a&consumer_secret=b", "", []string{https}, 200, "[]"},
		{"GET", "/wp-json/wc/v3/products", "", []string{https}, 401, "woocommerce_rest_cannot_view"},
		{"GET", "/wp-json/wc/v3/products", "", []string{basic}, 401, ""},
		{"GET", "/nothing", "", nil, 404, ""},
		{"GET", "/health", "", nil, 200, "OK"},
		{"GET", "/app", "", nil, 200, "Medusa"},
		{"POST", "/auth/user/emailpass", `{"email":"a@b.c","password":"p"}`, nil, 200, "token"},
		{"POST", "/auth/user/emailpass", `{"email":"a@b.c"}`, nil, 400, "invalid_data"},
		{"GET", "/admin/api-keys?type=publishable", "", []string{bearer}, 200, `"token":"pk_`},
		{"GET", "/admin/api-keys?type=publishable", "", nil, 401, "unauthorized"},
		{"GET", "/store/products", "", []string{key}, 200, "products"},
		{"GET", "/store/regions", "", []string{key}, 200, "regions"},
		{"GET", "/store/products", "", nil, 400, "required"},
		{"GET", "/store/products", "", []string{"x-publishable-api-key: pk_other"}, 400, "valid"},
	} {
		resp := ask(New(), c.method, c.path, c.body, c.headers...)
		if body := bodyOf(t, resp); resp.StatusCode != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("%s %s %v: %d %s", c.method, c.path, c.headers, resp.StatusCode, body)
		}
	}
}

func TestLoginSetsTheCookieOfWordPress(t *testing.T) {
	resp := ask(New(), "POST", "/wp-login.php", "log=admin&pwd=secret", form)
	if location := resp.Header.Get("Location"); location != "/wp-admin/" {
		t.Errorf("it leads to %q", location)
	}
	if len(resp.Cookies()) != 1 || !strings.HasPrefix(resp.Cookies()[0].Name, "wordpress_logged_in_") {
		t.Errorf("cookies %v", resp.Cookies())
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		mode               Mode
		method, path, body string
		status             int
		contains           string
	}{
		{Installer, "GET", "/", "", 302, ""},
		{Installer, "GET", "/wp-login.php", "", 302, ""},
		{Installer, "GET", "/wp-admin/install.php", "", 200, "Installation"},
		{ComingSoon, "GET", "/", "", 200, "woocommerce-coming-soon"},
		{ComingSoon, "GET", "/wp-login.php", "", 200, "loginform"},
		{RedirectLoop, "GET", "/shop/?a=b", "", 302, ""},
		{Broken, "GET", "/health", "", 500, "database connection"},
		{WrongPassword, "GET", "/", "", 200, "woocommerce-shop"},
		{WrongPassword, "POST", "/wp-login.php", "log=admin&pwd=secret", 200, "login_error"},
		{WrongPassword, "POST", "/auth/user/emailpass", `{"email":"a@b.c","password":"p"}`, 401, "unauthorized"},
		{WrongPassword, "GET", "/wp-json/wc/v3/products?consumer_key=a&consumer_secret=b", "", 401, ""},
	} {
		s := New()
		s.modes.set("a.example.com", c.mode)
		headers := []string{https}
		if strings.Contains(c.body, "log=") {
			headers = append(headers, form)
		}
		resp := ask(s, c.method, c.path, c.body, headers...)
		if body := bodyOf(t, resp); resp.StatusCode != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("%s: %s %s: %d %s", c.mode, c.method, c.path, resp.StatusCode, body)
		}
	}
}

func TestHangLastsUntilTheCallerLeaves(t *testing.T) {
	s := New()
	s.modes.set("a.example.com", Hang)
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "http://a.example.com/", nil)
	w, left := httptest.NewRecorder(), make(chan struct{})
	go func() { s.ServeHTTP(w, r); close(left) }()
	cancel()
	<-left
	if w.Body.Len() > 0 {
		t.Errorf("it answered %q", w.Body)
	}
}

func TestAdmin(t *testing.T) {
	s := New()
	admin := s.Admin()
	steps := []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"PUT", "/hosts/A.example.com", `{"mode":"500"}`, 200, `{"host":"a.example.com","mode":"500"}`},
		{"PUT", "/hosts/b.example.com", `{"mode":"sleepy"}`, 400, `there is no mode`},
		{"PUT", "/hosts/b.example.com", `500`, 400, `the body is not`},
		{"GET", "/hosts", "", 200, `{"hosts":[{"host":"a.example.com","mode":"500"}]}`},
		{"GET", "/hosts/b.example.com", "", 200, `"mode":"ok"`},
		{"DELETE", "/hosts/a.example.com", "", 204, ""},
		{"GET", "/hosts", "", 200, `{"hosts":[]}`},
		{"GET", "/healthz", "", 200, "ok"},
	}
	for _, step := range steps {
		resp := ask(admin, step.method, step.path, step.body)
		if body := bodyOf(t, resp); resp.StatusCode != step.status || !strings.Contains(body, step.answer) {
			t.Errorf("%s %s: %d %s", step.method, step.path, resp.StatusCode, body)
		}
	}
}
