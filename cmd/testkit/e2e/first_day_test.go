//go:build realcluster

package e2e

import (
	"fmt"
	"net/http"
	"strings"
)

// What a new shop looks like, and what its owner makes of it, which nothing may undo.

func (s woocommerce) opens(v *visitor) {
	v.t.Helper()
	page := v.page("/")
	for _, wanted := range []string{"Sample T-Shirt", `href="/"`, `href="/cart/"`, `href="/checkout/"`, `href="/my-account/"`} {
		if !strings.Contains(page, wanted) {
			v.t.Fatalf("the front page of the new shop lacks %s: %s", wanted, shorten(page))
		}
	}
	for _, odd := range []string{`href="#"`, "Hello world", "Sample Page", "Twenty Twenty", "terms-and-conditions", "privacy-policy"} {
		if strings.Contains(page, odd) {
			v.t.Fatalf("the front page of the new shop has %s: %s", odd, shorten(page))
		}
	}
	for _, path := range []string{"/hello-world/", "/sample-page/", "/terms-and-conditions/", "/privacy-policy/"} {
		v.refused(http.StatusNotFound, http.MethodGet, path, nil)
	}
	var shop struct {
		Zone string `json:"timezone_string"`
	}
	if v.api(&shop, http.MethodGet, "/wp-json/", nil); shop.Zone != "Europe/Berlin" {
		v.t.Fatalf("the new shop in Germany has the time of %q", shop.Zone)
	}
}

// rearrange makes the front page a blog, publishes the terms, and gives the menu another link.
func (s woocommerce) rearrange(owner *visitor) {
	owner.t.Helper()
	nonce := []string{"X-WP-Nonce", owner.page("/wp-admin/admin-ajax.php?action=rest-nonce")}
	owner.api(nil, http.MethodPost, "/wp-json/wp/v2/settings", map[string]any{"show_on_front": "posts"}, nonce...)
	var terms, menus []struct{ ID int }
	owner.api(&terms, http.MethodGet, "/wp-json/wp/v2/pages?status=draft&slug=terms-and-conditions", nil, nonce...)
	owner.api(&menus, http.MethodGet, "/wp-json/wp/v2/navigation", nil, nonce...)
	if len(terms) != 1 || len(menus) != 1 {
		owner.t.Fatalf("the new shop has %d drafts of its terms and %d menus, want one of each", len(terms), len(menus))
	}
	owner.api(nil, http.MethodPost, fmt.Sprintf("/wp-json/wp/v2/pages/%d", terms[0].ID), map[string]any{"status": "publish"}, nonce...)
	menu := map[string]any{"content": `<!-- wp:navigation-link {"label":"Nothing else","url":"/shop/","kind":"custom"} /-->`}
	owner.api(nil, http.MethodPost, fmt.Sprintf("/wp-json/wp/v2/navigation/%d", menus[0].ID), menu, nonce...)
	s.rearranged(owner)
}

func (s woocommerce) rearranged(v *visitor) {
	v.t.Helper()
	page := v.page("/")
	if strings.Contains(page, "Sample T-Shirt") || !strings.Contains(page, "Nothing else") || !strings.Contains(page, "/terms-and-conditions/") {
		v.t.Fatalf("the front page is not as its owner made it: %s", shorten(page))
	}
	v.page("/terms-and-conditions/")
}

// opens finds what the dashboard shows of the shop: its region has a name that people use.
func (s medusa) opens(v *visitor) {
	v.t.Helper()
	if name := s.regionName(v); name != "Germany" {
		v.t.Fatalf("the region of the new shop is called %q, want Germany", name)
	}
}

func (s medusa) rearrange(owner *visitor) {
	owner.t.Helper()
	path := "/admin/regions/" + s.region(s.visit(), s.key()).ID
	owner.api(nil, http.MethodPost, path, map[string]any{"name": "The owner's own"}, "Authorization", "Bearer "+s.token(owner, s.password))
}

func (s medusa) rearranged(v *visitor) {
	v.t.Helper()
	if name := s.regionName(v); name != "The owner's own" {
		v.t.Fatalf("the region that its owner has named anew is called %q", name)
	}
}

func (s medusa) regionName(v *visitor) string {
	v.t.Helper()
	var body struct{ Regions []struct{ Name string } }
	v.api(&body, http.MethodGet, "/store/regions", nil, s.key()...)
	if len(body.Regions) == 0 {
		return ""
	}
	return body.Regions[0].Name
}
