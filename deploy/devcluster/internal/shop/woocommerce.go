package shop

import (
	"fmt"
	"net/http"
	"strings"
)

func (s *Shop) woocommerce(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", shopPage)
	mux.HandleFunc("GET /shop/", shopPage)
	mux.HandleFunc("GET /wp-login.php", loginPage)
	mux.HandleFunc("POST /wp-login.php", s.login)
	mux.HandleFunc("GET /wp-admin/", dashboard)
	mux.HandleFunc("/wp-json/", apiIndex)
	mux.HandleFunc("/wp-json/wc/v3/", s.rest)
}

func shopPage(w http.ResponseWriter, r *http.Request) {
	writePage(w, http.StatusOK, "archive post-type-archive post-type-archive-product theme-storefront woocommerce-shop woocommerce woocommerce-page woocommerce-no-js",
		"Shop", `<main id="main" class="site-main"><ul class="products columns-3">`+
			`<li class="product type-product"><h2 class="woocommerce-loop-product__title">Sample T-Shirt</h2></li></ul></main>`)
}

func loginPage(w http.ResponseWriter, _ *http.Request) { writeLogin(w, "") }

func writeLogin(w http.ResponseWriter, notice string) {
	// WordPress tries whether the browser keeps cookies before it accepts a login.
	http.SetCookie(w, &http.Cookie{Name: "wordpress_test_cookie", Value: "WP%20Cookie%20check", Path: "/"})
	writePage(w, http.StatusOK, "login js login-action-login wp-core-ui", "Log In", notice+
		`<form name="loginform" id="loginform" action="/wp-login.php" method="post">`+
		`<input type="text" name="log" id="user_login"><input type="password" name="pwd" id="user_pass">`+
		`<input type="submit" name="wp-submit" value="Log In"></form>`)
}

// login answers 302 with the session's cookie, or as WordPress does 200 with the form and a notice.
func (s *Shop) login(w http.ResponseWriter, r *http.Request) {
	user, password := r.PostFormValue("log"), r.PostFormValue("pwd")
	if user == "" || password == "" || s.refusesPassword(r) {
		writeLogin(w, `<div id="login_error" class="notice notice-error"><p><strong>Error:</strong> The password you entered is incorrect.</p></div>`)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: "wordpress_logged_in_" + derived("cookie", hostOf(r))[:32], Value: "session", Path: "/", HttpOnly: true,
	})
	http.Redirect(w, r, "/wp-admin/", http.StatusFound)
}

func dashboard(w http.ResponseWriter, r *http.Request) {
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, "wordpress_logged_in_") {
			writePage(w, http.StatusOK, "wp-admin wp-core-ui index-php", "Dashboard", "<h1>Dashboard</h1>")
			return
		}
	}
	http.Redirect(w, r, "/wp-login.php", http.StatusFound)
}

func apiIndex(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"name": hostOf(r), "url": "https://" + hostOf(r), "namespaces": []string{"wp/v2", "wc/v3", "wc/store/v1"},
	})
}

// rest is the WooCommerce API. As the real one it takes keys only from requests that came in over TLS.
func (s *Shop) rest(w http.ResponseWriter, r *http.Request) {
	if !hasKeys(r) || r.Header.Get("X-Forwarded-Proto") != "https" || s.refusesPassword(r) {
		writeJSON(w, http.StatusUnauthorized, map[string]any{
			"code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot list resources.", "data": map[string]int{"status": 401},
		})
		return
	}
	switch resource, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/wp-json/wc/v3/"), "/"); resource {
	case "products":
		writeJSON(w, http.StatusOK, []map[string]any{{"id": 1, "name": "Sample T-Shirt", "sku": "SAMPLE-1", "status": "publish", "price": "499.00"}})
	case "system_status":
		writeJSON(w, http.StatusOK, map[string]any{"environment": map[string]string{"home_url": "https://" + hostOf(r)}})
	default:
		writeJSON(w, http.StatusOK, []any{})
	}
}

func hasKeys(r *http.Request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		return user != "" && password != ""
	}
	query := r.URL.Query()
	return query.Get("consumer_key") != "" && query.Get("consumer_secret") != ""
}

// installer is what a WordPress with an empty database answers: everything leads to the installer, which is open to anyone.
func (s *Shop) installer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/wp-admin/install.php" {
		writePage(w, http.StatusOK, "wp-core-ui language-chooser", "WordPress &rsaquo; Installation", `<form id="setup" method="post" action="?step=1"></form>`)
		return
	}
	http.Redirect(w, r, "/wp-admin/install.php", http.StatusFound)
}

func (s *Shop) comingSoon(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.Path; path != "/" && !strings.HasPrefix(path, "/shop/") {
		s.mux.ServeHTTP(w, r)
		return
	}
	writePage(w, http.StatusOK, "home blog theme-storefront woocommerce-no-js", "Coming soon",
		`<div class="wp-block-woocommerce-coming-soon woocommerce-coming-soon-entire-site"><h1>Great things are on the horizon</h1></div>`,
		`<meta name="woo-coming-soon-page" content="yes">`)
}

func (s *Shop) databaseDown(w http.ResponseWriter, _ *http.Request) {
	writePage(w, http.StatusInternalServerError, "error-page", "Database Error", "<h1>Error establishing a database connection</h1>")
}

func writePage(w http.ResponseWriter, status int, bodyClass, title, content string, head ...string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><meta charset=\"UTF-8\"><title>%s</title>%s</head>\n<body class=\"%s\">\n%s\n</body>\n</html>\n",
		title, strings.Join(head, ""), bodyClass, content)
}
