package provision

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var testPolicy = Policy{Engines: []string{"woocommerce", "medusa"}, ReservedNamespaces: []string{"orchestrator"}, Clusters: []string{"eu", "us"}}

func validRequest() Request {
	return Request{
		StoreID: "s-1", Name: "shop-1", Engine: "woocommerce", Namespace: "store-1",
		Host: "shop.example.com", StoreURL: "https://shop.example.com", Action: OpProvision,
	}
}

func TestValidateEachRule(t *testing.T) {
	label63, label64 := strings.Repeat("a", 63), strings.Repeat("a", 64)
	host253 := strings.Join([]string{label63, label63, label63, strings.Repeat("b", 61)}, ".")
	tests := []struct {
		field string
		set   func(*Request, string)
		good  []string
		bad   []string
	}{
		{"store_id", func(r *Request, v string) { r.StoreID = v },
			[]string{"a", "A", "7", "a.b", "a-b_c.D9", "a-.b", "0b8f3c1e-7d52-4a57-9a39-0d8a1e9f5c11", label63},
			[]string{"", " ", "-a", "a-", "_a", "a_", ".a", "a.", "a..b", "a/b", "a b", "a\n", "ä", "a:b", "a{b}", "a\x00b", label64}},
		{"action", func(r *Request, v string) { r.Action = Op(v) },
			[]string{"provision"},
			[]string{"", "Provision", "create", "delete "}},
		{"name", func(r *Request, v string) { r.Name = v },
			[]string{"a", "1", "shop-1", label63[:53]},
			[]string{"", "Shop", "shop_1", "shop.1", "-shop", "shop-", "shöp", label63[:54], "shop\n"}},
		{"engine", func(r *Request, v string) { r.Engine = v },
			[]string{"woocommerce", "medusa"},
			[]string{"", "shopify", "WooCommerce", "medusa "}},
		{"namespace", func(r *Request, v string) { r.Namespace = v },
			[]string{"a", "store-1", "kube", "kubernetes", "default-1", label63},
			[]string{"", "kube-system", "kube-", "default", "orchestrator", "Store", "a.b", "a_b", "-a", "a-", label64}},
		{"base_url", func(r *Request, v string) { r.BaseURL = v },
			[]string{"", "http://a", "https://api.example.com/v1", "http://my_api:8000", "http://127.0.0.1:1", "http://[::1]:65535/", "HTTPS://A/%C3%BC"},
			[]string{"a", "/path", "//a/b", "http:", "http:a", "http://", "http:///a", "http://:80", "ftp://a", "javascript:alert(1)", "mailto:a@b",
				"http://a:b@c", "http://a@c", "http://@c", "http://a?b=c", "http://a?", "http://a#b", "http://a#", "http://a b", "http://a/b c", "http://a/ü",
				"http://a/\"", "http://a/`id`", "http://a/\\b", "http://a\\b", "http://a:", "http://a:0", "http://a:65536", "http://a:x", "http://a/\n",
				"http://a/" + strings.Repeat("b", maxURL)}},
		{"creator_id", func(r *Request, v string) { r.CreatorID = v },
			[]string{"", "42", "Jürgen Müller", "名前", strings.Repeat("ü", 128)},
			[]string{"a\n", "a\tb", "a\x00", "\u202eabc", "\u200b", strings.Repeat("ü", 129)}},
		{"cluster", func(r *Request, v string) { r.Cluster = v },
			[]string{"", "eu", "us"}, []string{"default", "EU", "eu ", "asia"}},
		{"settings.title", func(r *Request, v string) { r.Settings.Title = v },
			[]string{"", "Käse & Brot – 100 % \"bio\" 🧀", "👩\u200d🍳 Qui\u00a0?", strings.Repeat("名", 200)},
			[]string{"a\r\nb", "\x1b[0m", strings.Repeat("a", 201)}},
		{"settings.admin_email", func(r *Request, v string) { r.Settings.AdminEmail = v },
			[]string{"", "a@example.com", "o'neil+shop@mail.example.co.uk", strings.Repeat("a", 64) + "@" + label63 + ".example.com"},
			[]string{"a", "a@", "@b.c", "a@localhost", "a@b@example.com", "A <a@example.com>", "a@example.com,b@example.com", "\"a b\"@example.com", "jürgen@example.com",
				"a@exämple.com", "a@[127.0.0.1]", "a@example.com\n", " a@example.com", ".a@example.com", "a@example..com", "a@example.com.",
				strings.Repeat("a", 64) + "@" + strings.Repeat(label63+".", 3) + "com"}},
		{"settings.currency", func(r *Request, v string) { r.Settings.Currency = v },
			[]string{"", "EUR"}, []string{"eur", "EU", "EURO", "€", "EUR\n"}},
		{"settings.country", func(r *Request, v string) { r.Settings.Country = v },
			[]string{"", "DE"}, []string{"de", "D", "DEU", "49"}},
		{"settings.locale", func(r *Request, v string) { r.Settings.Locale = v },
			[]string{"", "de", "de_DE", "gsw_CH", "de_DE_formal", "pt_PT_ao90"}, []string{"DE", "de_formal", "de_DE_", "de-DE", "de_de", "d", "de_DE.UTF-8", "de_DE; id"}},
		{"host", func(r *Request, v string) { r.Host, r.StoreURL = v, "https://"+v },
			[]string{"a", "localhost", "shop.example.com", "xn--mller-kva.example", "1.example", "127.0.0.1.example", "a--b.example", host253},
			nil},
	}
	for _, test := range tests {
		for _, value := range test.good {
			r := validRequest()
			test.set(&r, value)
			if errs := r.Validate(testPolicy); errs != nil {
				t.Errorf("%s = %q is refused: %v", test.field, value, errs)
			}
		}
		for _, value := range test.bad {
			r := validRequest()
			test.set(&r, value)
			if errs := r.Validate(testPolicy); len(errs) != 1 || errs[0].Field != test.field {
				t.Errorf("%s = %q: got %v, want one entry for the field", test.field, value, errs)
			}
		}
	}
}

func TestValidateRefusesHosts(t *testing.T) {
	for _, host := range []string{
		"", "Shop.example.com", "shop.example.com.", ".example.com", "shop..example.com", "shop_1.example.com", "-a.example", "a-.example",
		"*.example.com", "https://shop.example.com", "shop.example.com:443", "shop.example.com/a", "a@shop.example.com", "shop example",
		"müller.example", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "a.0x", "1.2.3.4.5", "::1", "[::1]", "fe80::1%eth0", "a\n", "a\x00b",
		strings.Repeat("a", 64) + ".example", strings.Repeat("abcdefg.", 31) + "abcdef",
	} {
		if checkHost(host) == "" {
			t.Errorf("host %q is taken for a DNS name", host)
		}
	}
}

func TestValidateKeepsStoreURLOnHost(t *testing.T) {
	tests := map[string]bool{
		"https://shop.example.com":                        true,
		"http://shop.example.com/":                        true,
		"https://shop.example.com:8443/de/":               true,
		"HTTPS://shop.example.com":                        true,
		"":                                                false,
		"https://other.example.com":                       false,
		"https://Shop.example.com":                        false,
		"https://shop.example.com.":                       false,
		"https://shop.example.com.evil.example":           false,
		"https://shop.example.com@evil.example":           false,
		"https://evil.example#@shop.example.com":          false,
		"https://evil.example?@shop.example.com":          false,
		"https://evil.example\\@shop.example.com":         false,
		"https://user:secret@shop.example.com":            false,
		"https://user@shop.example.com":                   false,
		"https://@shop.example.com":                       false,
		"https://:@shop.example.com":                      false,
		"https:shop.example.com":                          false,
		"https:/shop.example.com":                         false,
		"https:///shop.example.com":                       false,
		"//shop.example.com":                              false,
		"shop.example.com":                                false,
		"ftp://shop.example.com":                          false,
		"https://shop.example.com:":                       false,
		"https://shop.example.com:0":                      false,
		"https://shop.example.com:65536":                  false,
		"https://shop%2eexample.com":                      false,
		" https://shop.example.com":                       false,
		"https://shop.example.com/?p=1":                   false,
		"https://shop.example.com/\u00a0":                 false,
		"https://shop.example.com/" + "a\tb":              false,
		"https://shop.example.com/$(id)":                  true, // legal in a URL: the charts quote it
		"https://shop.example.com/<script>":               false,
		"https://shop.example.com/" + longPath(maxURL):    false,
		"https://shop.example.com/" + longPath(maxURL-25): true,
	}
	for raw, good := range tests {
		r := validRequest()
		r.StoreURL = raw
		errs := r.Validate(testPolicy)
		if good && errs != nil {
			t.Errorf("store_url = %q is refused: %v", raw, errs)
		}
		if !good && (len(errs) != 1 || errs[0].Field != "store_url") {
			t.Errorf("store_url = %q: got %v, want one entry for store_url", raw, errs)
		}
	}
}

func longPath(n int) string { return strings.Repeat("p", n) }

func TestValidateDeleteNeedsOnlyTheID(t *testing.T) {
	if errs := (Request{StoreID: "s-1", Action: OpDelete}).Validate(testPolicy); errs != nil {
		t.Errorf("a delete with an id alone is refused: %v", errs)
	}
	errs := Request{Action: OpDelete, Engine: "nonsense"}.Validate(testPolicy)
	if len(errs) != 1 || errs[0].Field != "store_id" {
		t.Errorf("got %v, want one entry for store_id", errs)
	}
}

func TestValidateNamesEveryBadFieldInTheOrderOfTheContract(t *testing.T) {
	var fields []string
	for _, e := range (Request{Settings: Settings{Currency: "x"}}).Validate(testPolicy) {
		fields = append(fields, e.Field)
	}
	want := []string{"store_id", "action", "name", "engine", "namespace", "host", "store_url", "settings.currency"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestOneClusterIsTheDefaultOne(t *testing.T) {
	r, p := validRequest(), Policy{Engines: testPolicy.Engines}
	if r.Cluster = DefaultCluster; r.Validate(p) != nil {
		t.Errorf("the only cluster is refused: %v", r.Validate(p))
	}
	if r.Cluster = "eu"; r.Validate(p) == nil {
		t.Error("an unknown cluster is accepted")
	}
}
