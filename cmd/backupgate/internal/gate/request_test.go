package gate

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"orchestrator/provision/backup"
)

// let is what may ever get to the storage of own's client: written down once more, as plainly as it can be.
var let = regexp.MustCompile(`^(POST /shops/L/\?create=true|(HEAD|GET|POST) /shops/L/config|GET /shops/L/(data|keys|locks|snapshots|index)/|` +
	`(HEAD|GET|POST) /shops/L/(data|keys|locks|snapshots|index)/[0-9a-f]{64}|DELETE /shops/L/locks/[0-9a-f]{64})$`)

// FuzzRequests: no method, path and query get anywhere but to the store's own repository, nor do more there than a client that only adds needs.
func FuzzRequests(f *testing.F) {
	name := sum("x")
	for _, seed := range [][2]string{{"POST", "?create=true"}, {"GET", "config"}, {"DELETE", "locks/" + name}, {"DELETE", "data/" + name}, {"GET", "data/"}, {"POST", "keys/" + name},
		{"GET", "../" + other + "/config"}, {"GET", "%2e%2e/x"}, {"DELETE", "locks/../data/" + name}, {"GET", "//"}, {"GET", "config?create=true"}, {"POST", "?create=true&"}, {"GET", "data/" + name + "%00"}} {
		f.Add(seed[0], "/shops/"+own+"/"+seed[1], int64(0))
		f.Add(seed[0], "/shops/"+own+"/"+seed[1], int64(1))
	}
	f.Fuzz(func(t *testing.T, method, target string, length int64) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		found, ok := targetOf(u)
		if !ok || found.label != own || found.installation != "shops" {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{}, ContentLength: length}
		if check(r, found, 1<<20) != nil {
			return
		}
		out := found.path()
		if query(found) != "" {
			out += "?" + query(found)
		}
		if said := strings.Replace(method+" "+out, own, "L", 1); !let.MatchString(said) {
			t.Errorf("%s %q (%d bytes) is let through as %q", method, target, length, said)
		}
		if out != target || !strings.HasPrefix(path.Clean(found.path())+"/", backup.Path("shops", own)) {
			t.Errorf("%q is let through as %q", target, out)
		}
		if length < 0 && found.kind == repository {
			return // sent in chunks, of which forward takes none
		}
		if length < 0 || length > 1<<20 || (length > 0) != (method == http.MethodPost && found.isFile()) {
			t.Errorf("%s %q is let through with %d bytes", method, target, length)
		}
	})
}
