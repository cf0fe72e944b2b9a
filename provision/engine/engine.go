// Package engine holds what is special about each e-commerce platform, one file each: the chart and the values of a store,
// the credentials that its pods read, and how to check that a shopper can use it.
//
// An engine's chart is the folder of the same name below charts/store. The exam in exam_test.go runs over all registered
// engines; a new engine is a file here, a folder there and one line in the registry below.
package engine

import (
	"net/url"
	"strconv"
	"strings"

	"orchestrator/provision"
)

// registry lists the engines by the name that requests use. The first is the default of the command line.
var registry = []struct {
	name   string
	engine provision.Engine
}{
	{"woocommerce", WooCommerce{}},
	{"medusa", Medusa{}},
}

// All returns the registered engines by name. The map is the caller's own.
func All() map[string]provision.Engine {
	all := map[string]provision.Engine{}
	for _, r := range registry {
		all[r.name] = r.engine
	}
	return all
}

// Names returns the names of the registered engines in the order of the registry: the values that a request's engine may
// have.
func Names() []string {
	names := make([]string, len(registry))
	for i, r := range registry {
		names[i] = r.name
	}
	return names
}

// commonValues are the values that every store's chart accepts: those of the library chart, under its name.
func commonValues(s provision.Store, origin *url.URL, set resolvedSettings, adminUser string) map[string]any {
	common := map[string]any{
		"storeLabel":        provision.StoreLabel(s.StoreID),
		"credentialsSecret": provision.CredentialsSecret,
		"store": map[string]any{
			"host":          s.Host,
			"url":           origin.String(),
			"title":         set.title,
			"adminUser":     adminUser,
			"adminEmail":    set.email,
			"currency":      set.currency,
			"country":       set.country,
			"locale":        set.locale,
			"sampleProduct": set.sample,
		},
	}
	if s.Suspended {
		common["suspended"] = true
	}
	if s.RestoreTest {
		common["restoreTest"] = true
	}
	if s.Restoring {
		common["restoring"] = true
	}
	if s.Restoring && s.Restore != nil {
		from := s.Restore.Backup
		common["restore"] = map[string]any{"run": from.Run, "generation": strconv.FormatInt(s.Restore.Generation, 10), "database": from.Database, "files": from.Files, "secrets": from.Secrets}
	}
	return map[string]any{"common": common}
}

// originOf returns scheme, host and port of the store's URL. A path is dropped: a shop is served at the root of its host,
// whichever of its pages the URL names. So is a port that the scheme implies, because browsers do not send it and a shop
// that expected it would redirect forever.
func originOf(s provision.Store) (*url.URL, error) {
	u, err := url.Parse(s.StoreURL)
	if err != nil || u.Hostname() != s.Host || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, provision.Errorf(provision.CodeInvalid, "store_url must be an http or https URL on the host %s", s.Host)
	}
	host := u.Host
	if implied := map[string]string{"http": "80", "https": "443"}[u.Scheme]; u.Port() == implied || u.Port() == "" {
		host = u.Hostname()
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(host)}, nil
}

// secret is a credential of letters and digits. At these lengths (24 characters are 142 bits) it cannot be guessed, and it
// needs no quoting in a URL, an option file or a shell word.
func secret(key string, length int) provision.Credential {
	return provision.Credential{Key: key, Length: length, Chars: provision.Alphanumeric}
}

// initial is a credential that what is started with it keeps.
func initial(c provision.Credential) provision.Credential {
	c.Initial = true
	return c
}

// rotating is a credential that the chart's job can give to a running shop.
func rotating(c provision.Credential) provision.Credential {
	c.Rotates = true
	return c
}
