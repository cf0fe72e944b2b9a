package engine

import (
	"cmp"
	"slices"
	"strings"

	"orchestrator/provision"
)

// resolvedSettings are a request's settings with every default filled in.
type resolvedSettings struct {
	title, email, currency, country, locale string
	sample                                  bool
}

const (
	defaultLocale   = "en_US"
	defaultCountry  = "US"
	defaultCurrency = "USD"
	maxEmail        = 100 // WordPress's column user_email (wp-admin/includes/schema.php)
)

// resolveSettings fills in what the request leaves out. The country follows from the locale, the currency from the country;
// a currency that the shop does not know becomes the dollar. currencies are those the shop knows, separated by spaces.
func resolveSettings(s provision.Store, currencies string) (resolvedSettings, error) {
	set := s.Settings
	r := resolvedSettings{
		title:   cmp.Or(set.Title, s.Host),
		email:   cmp.Or(set.AdminEmail, defaultEmail(s.Host)),
		locale:  cmp.Or(set.Locale, defaultLocale),
		country: cmp.Or(set.Country, countryOf(set.Locale)),
		sample:  set.SampleProduct,
	}
	r.currency = cmp.Or(set.Currency, currencyOf(r.country, currencies))
	switch {
	case countryCurrency[r.country] == "":
		return r, provision.Errorf(provision.CodeInvalid, "settings.country: %q is not a country (ISO 3166-1)", r.country)
	case !contains(currencies, r.currency):
		return r, provision.Errorf(provision.CodeInvalid, "settings.currency: %s does not know the currency %q", s.Engine, r.currency)
	case len(r.email) > maxEmail:
		return r, provision.Errorf(provision.CodeInvalid, "settings.admin_email: must have at most %d characters", maxEmail)
	}
	return r, nil
}

// defaultEmail is an address on the store's host. Where that is too long, or the host is not a domain that can receive
// mail, it is an address that can never exist (RFC 2606).
func defaultEmail(host string) string {
	email := "admin@" + host
	if len(email) > maxEmail || !strings.Contains(host, ".") {
		return "admin@store.invalid"
	}
	return email
}

// countryOf takes the country from a locale such as de_AT or de_AT_formal.
func countryOf(locale string) string {
	_, country, _ := strings.Cut(locale, "_")
	country, _, _ = strings.Cut(country, "_")
	if countryCurrency[country] == "" {
		return defaultCountry
	}
	return country
}

func currencyOf(country, known string) string {
	if currency := countryCurrency[country]; contains(known, currency) {
		return currency
	}
	return defaultCurrency
}

func contains(words, word string) bool { return slices.Contains(strings.Fields(words), word) }
