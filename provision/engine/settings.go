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
	maxEmail        = 254 // of any mail address (RFC 5321)
)

// settingsRules are the limits of a platform.
type settingsRules struct {
	currencies string // that it knows, separated by spaces
	maxEmail   int    // length of an owner's address; 0 means as long as any may be
}

// resolveSettings fills in what the request leaves out. The country follows from the locale, the currency from the country;
// a currency that the shop does not know becomes the dollar.
func resolveSettings(s provision.Store, rules settingsRules) (resolvedSettings, error) {
	longest := cmp.Or(rules.maxEmail, maxEmail)
	set := s.Settings
	r := resolvedSettings{
		title:   cmp.Or(set.Title, s.Host),
		email:   cmp.Or(set.AdminEmail, defaultEmail(s.Host, longest)),
		locale:  cmp.Or(set.Locale, defaultLocale),
		country: cmp.Or(set.Country, countryOf(set.Locale)),
		sample:  set.SampleProduct,
	}
	r.currency = cmp.Or(set.Currency, currencyOf(r.country, rules.currencies))
	switch {
	case countryCurrency[r.country] == "":
		return r, provision.Errorf(provision.CodeInvalid, "settings.country: %q is not a country (ISO 3166-1)", r.country)
	case !contains(rules.currencies, r.currency):
		return r, provision.Errorf(provision.CodeInvalid, "settings.currency: %s does not know the currency %q", s.Engine, r.currency)
	case len(r.email) > longest:
		return r, provision.Errorf(provision.CodeInvalid, "settings.admin_email: must have at most %d characters", longest)
	}
	return r, nil
}

// defaultEmail is an address on the store's host. Where that is too long, or the host is not a domain that can receive
// mail, it is an address that can never exist (RFC 2606).
func defaultEmail(host string, longest int) string {
	email := "admin@" + host
	if len(email) > longest || !strings.Contains(host, ".") {
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
