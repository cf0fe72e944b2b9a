package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// storeValues are the values that say what the shop is to be.
func storeValues(t *testing.T, s provision.Store) map[string]any {
	t.Helper()
	return releaseOf(t, s).Values["common"].(map[string]any)["store"].(map[string]any)
}

func TestReleaseDefaults(t *testing.T) {
	got := storeValues(t, store("woocommerce", provision.Settings{}))
	want := map[string]any{
		"host": "shop-1.example.com", "url": "https://shop-1.example.com", "title": "shop-1.example.com", "adminUser": "admin",
		"adminEmail": "admin@shop-1.example.com", "currency": "USD", "country": "US", "locale": "en_US", "sampleProduct": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if user := storeValues(t, store("medusa", wanted))["adminUser"]; user != wanted.AdminEmail {
		t.Errorf("one logs in to Medusa with an address, not with %q", user)
	}
}

func TestReleaseDerivesCountryAndCurrency(t *testing.T) {
	for _, c := range []struct {
		name              string
		settings          provision.Settings
		country, currency string
	}{
		{"the locale", provision.Settings{Locale: "de_AT"}, "AT", "EUR"},
		{"a variant of a locale", provision.Settings{Locale: "de_CH_informal"}, "CH", "CHF"},
		{"a locale without country", provision.Settings{Locale: "ja"}, "US", "USD"},
		{"a locale of nowhere", provision.Settings{Locale: "en_QQ"}, "US", "USD"},
		{"the country", provision.Settings{Locale: "de_DE", Country: "CH"}, "CH", "CHF"},
		{"the currency", provision.Settings{Country: "GB", Currency: "EUR"}, "GB", "EUR"},
		{"a currency that shops do not know", provision.Settings{Country: "ZW"}, "ZW", "USD"},
	} {
		for _, name := range engine.Names() {
			got := storeValues(t, store(name, c.settings))
			if got["country"] != c.country || got["currency"] != c.currency {
				t.Errorf("%s decides: %s gets %v and %v, want %s and %s", c.name, name, got["country"], got["currency"], c.country, c.currency)
			}
		}
	}
}

func TestReleaseURLIsTheShopsRoot(t *testing.T) {
	for given, want := range map[string]string{
		"https://shop-1.example.com":           "https://shop-1.example.com",
		"https://shop-1.example.com/shop/":     "https://shop-1.example.com",
		"https://shop-1.example.com:443/":      "https://shop-1.example.com",
		"https://shop-1.example.com:/":         "https://shop-1.example.com",
		"http://shop-1.example.com:80/":        "http://shop-1.example.com",
		"http://shop-1.example.com:8080/app":   "http://shop-1.example.com:8080",
		"HTTPS://shop-1.example.com:8443/a%20": "https://shop-1.example.com:8443",
	} {
		s := store("medusa", wanted)
		s.StoreURL = given
		if got := storeValues(t, s)["url"]; got != want {
			t.Errorf("%s becomes %s, want %s", given, got, want)
		}
	}
}

func TestReleaseDefaultEmail(t *testing.T) {
	for _, host := range []string{"localhost", strings.Repeat("a.", 60) + "example.com"} {
		s := store("woocommerce", provision.Settings{})
		s.Host, s.StoreURL = host, "http://"+host
		if got := storeValues(t, s)["adminEmail"]; got != "admin@store.invalid" {
			t.Errorf("the default address at %s is %s", host, got)
		}
	}
}

func TestReleaseRefuses(t *testing.T) {
	refused := map[string]func(*provision.Store){
		"settings.country":     func(s *provision.Store) { s.Settings.Country = "QQ" },
		"settings.currency":    func(s *provision.Store) { s.Settings.Currency = "QQQ" },
		"settings.admin_email": func(s *provision.Store) { s.Settings.AdminEmail = strings.Repeat("a", 250) + "@example.com" },
		"store_url":            func(s *provision.Store) { s.StoreURL = "https://other.example.com/" },
	}
	for field, spoil := range refused {
		for _, name := range engine.Names() {
			s := store(name, wanted)
			spoil(&s)
			_, err := engine.All()[name].Release(s)
			if provision.CodeOf(err) != provision.CodeInvalid || !strings.HasPrefix(provision.Public(err), field) {
				t.Errorf("%s: a wrong %s gives %v", name, field, err)
			}
		}
	}
}

// TestReleaseKeepsAnAddressWithinThePlatformsLimit: WordPress has room for 100 characters, others for any address.
func TestReleaseKeepsAnAddressWithinThePlatformsLimit(t *testing.T) {
	for name, e := range engine.All() {
		s := store(name, wanted)
		s.Settings.AdminEmail = strings.Repeat("a", 100) + "@example.com"
		_, err := e.Release(s)
		refused := provision.CodeOf(err) == provision.CodeInvalid && strings.HasPrefix(provision.Public(err), "settings.admin_email")
		if refused != (name == "woocommerce") || (err != nil) != refused {
			t.Errorf("%s: an address of 112 characters gives %v", name, err)
		}
	}
}
