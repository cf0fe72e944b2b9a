package engine

import (
	"strings"

	"orchestrator/provision"
)

// wishes are a request's settings with nothing left open.
type wishes struct {
	title, email, currency, country, locale string
	sample                                  bool
}

const (
	defaultLocale   = "en_US"
	defaultCountry  = "US"
	defaultCurrency = "USD"
	maxEmail        = 100 // WordPress's column user_email (wp-admin/includes/schema.php)
)

// wishesOf fills in what the request leaves open. The country follows from the locale, the currency from the country;
// where the shop does not know that currency it is the dollar. currencies are those the shop knows, separated by spaces.
func wishesOf(s provision.Store, currencies string) (wishes, error) {
	set := s.Settings
	w := wishes{
		title:   either(set.Title, s.Host),
		email:   either(set.AdminEmail, defaultEmail(s.Host)),
		locale:  either(set.Locale, defaultLocale),
		country: either(set.Country, countryOf(set.Locale)),
		sample:  set.SampleProduct,
	}
	w.currency = either(set.Currency, currencyOf(w.country, currencies))
	switch {
	case countryCurrency[w.country] == "":
		return w, provision.Errorf(provision.CodeInvalid, "settings.country: %q is no country (ISO 3166-1)", w.country)
	case !contains(currencies, w.currency):
		return w, provision.Errorf(provision.CodeInvalid, "settings.currency: %s does not know the currency %q", s.Engine, w.currency)
	case len(w.email) > maxEmail:
		return w, provision.Errorf(provision.CodeInvalid, "settings.admin_email: must have at most %d characters", maxEmail)
	}
	return w, nil
}

func either(wanted, otherwise string) string {
	if wanted != "" {
		return wanted
	}
	return otherwise
}

// defaultEmail is an address on the store's host, or, where that is too long or no domain a mail address can have, one
// that belongs to nobody (RFC 2606).
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

func contains(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}
