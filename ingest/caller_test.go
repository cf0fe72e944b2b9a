package ingest

import (
	"os"
	"strings"
	"testing"

	"orchestrator/provision"
)

// caller reads a request as the backend sends it today: eight strings, nothing else.
func caller(t *testing.T, engine string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/caller-" + engine + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The backend treats everything from 400 on as final: each spelling of its request has to be taken.
func TestCallerIsAccepted(t *testing.T) {
	spellings := map[string]struct {
		path    string
		headers []string
		change  func(string) string
	}{
		"as it is":                {path: "/"},
		"another mount":           {path: "/orchestrate"},
		"a slash at the end":      {path: "/orchestrate/"},
		"two slashes":             {path: "//orchestrate"},
		"only slashes":            {path: "//"},
		"header with underscores": {path: "/", headers: []string{tokenHeader, "-", tokenHeaderUnderscore, testToken}},
		"charset utf8":            {path: "/", headers: []string{"Content-Type", "application/json; charset=utf8"}},
		"quoted charset":          {path: "/", headers: []string{"Content-Type", `application/json;charset="UTF-8"`}},
		"unfinished parameter":    {path: "/", headers: []string{"Content-Type", "application/json; charset"}},
		"text/json":               {path: "/", headers: []string{"Content-Type", "text/json"}},
		"byte order mark":         {path: "/", change: func(body string) string { return "\ufeff" + body }},
		"empty settings of PHP":   {path: "/", change: with(`"settings": [ ]`)},
		"null settings":           {path: "/", change: with(`"settings": null`)},
		"numeric creator":         {path: "/", change: replace(`"42"`, "42")},
		"host in upper case":      {path: "/", change: replace("shop.localhost", "SHOP.LocalHost")},
		"absolute host":           {path: "/", change: replace(`shop.localhost"`, `shop.localhost."`)},
	}
	for _, engine := range []string{"woocommerce", "medusa"} {
		plain := newRig(t, &fake{})
		if a := plain.send("POST", "/", caller(t, engine)); a.status != 202 {
			t.Fatalf("%s: %d %s", engine, a.status, a.raw)
		}
		for name, s := range spellings {
			body := caller(t, engine)
			if s.change != nil {
				if body = s.change(body); body == caller(t, engine) {
					t.Fatalf("%s: the change changes nothing", name)
				}
			}
			r := newRig(t, &fake{})
			a := r.send("POST", s.path, body, s.headers...)
			if a.status != 202 || len(r.got) != 1 || r.got[0] != plain.got[0] {
				t.Errorf("%s, %s: %d %s, accepted %+v", engine, name, a.status, a.raw, r.got)
			}
		}
	}
}

func with(entry string) func(string) string {
	return func(body string) string { return strings.Replace(body, "{", "{"+entry+",", 1) }
}

func replace(old, now string) func(string) string {
	return func(body string) string { return strings.ReplaceAll(body, old, now) }
}

func TestHealthIsWhereBalancersAsk(t *testing.T) {
	for _, target := range []string{"GET /", "HEAD /", "GET /health", "GET /health/", "GET /healthz"} {
		method, path, _ := strings.Cut(target, " ")
		a := newRig(t, &fake{}).send(method, path, "", tokenHeader, "-")
		if a.status != 200 || method == "GET" && a.body["status"] != "ok" {
			t.Errorf("%s: %d %s", target, a.status, a.raw)
		}
	}
}

func TestReadyzSaysWhatIsMissing(t *testing.T) {
	incomplete := provision.Errorf(provision.CodeUnavailable, "the records are incomplete")
	a := newRig(t, &fake{err: incomplete}).send("GET", "/readyz", "", tokenHeader, "-")
	if a.status != 503 || a.body["detail"] != "the records are incomplete" {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestAuthorizeRefusesBothHeadersUnlessOne(t *testing.T) {
	a := newRig(t, &fake{}).send("POST", "/", store(nil), tokenHeaderUnderscore, "wrong")
	if a.status != 401 {
		t.Errorf("%d, want 401", a.status)
	}
}

func TestNormalizeURL(t *testing.T) {
	for raw, want := range map[string]string{
		"HTTPS://Shop.Example.COM/Shop/":  "https://shop.example.com/Shop/",
		"https://bücher.example:8443/a/B": "https://xn--bcher-kva.example:8443/a/B",
		"https://shop.example.com.":       "https://shop.example.com",
		"https://u:p@Shop.example":        "https://u:p@Shop.example", // refused by validation, as it is
		"https://[2001:DB8::1]/":          "https://[2001:DB8::1]/",
		"https://b%C3%BCcher.example":     "https://b%C3%BCcher.example",
		"shop.example.com":                "shop.example.com",
		"https://*.Example.com":           "https://*.Example.com",
		"https://a_b.example":             "https://a_b.example",
		"":                                "",
	} {
		if got := normalizeURL(raw); got != want {
			t.Errorf("%q became %q, want %q", raw, got, want)
		}
	}
}

func TestNormalizeHost(t *testing.T) {
	for raw, want := range map[string]string{
		"Shop.Example.COM":   "shop.example.com",
		"bücher.example":     "xn--bcher-kva.example",
		"BÜCHER.example.":    "xn--bcher-kva.example",
		"shop.example.com:1": "shop.example.com:1",
		"a b":                "a b",
		"shop..example":      "shop..example",
	} {
		if got := normalizeHost(raw); got != want {
			t.Errorf("%q became %q, want %q", raw, got, want)
		}
	}
}
