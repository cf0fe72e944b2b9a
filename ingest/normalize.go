package ingest

import (
	"net/url"
	"strings"

	"golang.org/x/net/idna"

	"orchestrator/provision"
)

// normalize writes the hosts of a request in the one form that DNS, ingresses and certificates use, so that a request is equal to
// itself in every spelling. What cannot be a host stays as it is: validation says what is wrong with it.
func normalize(r provision.Request) provision.Request {
	r.Host = normalizeHost(r.Host)
	r.StoreURL = normalizeURL(r.StoreURL)
	r.BaseURL = normalizeURL(r.BaseURL)
	return r
}

// normalizeHost returns a host in lower case and punycode, without the dot at its end that makes it absolute.
func normalizeHost(host string) string {
	plain, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil {
		return host
	}
	return plain
}

// normalizeURL normalizes the host of a URL, and changes nothing else but the case of its scheme.
func normalizeURL(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	u, err := url.Parse("https://" + authority)
	if err != nil || u.User != nil || strings.Contains(authority, "[") {
		return raw
	}
	port, plain := strings.CutPrefix(authority, u.Hostname())
	if !plain { // the host is percent-encoded
		return raw
	}
	return strings.ToLower(scheme) + "://" + normalizeHost(u.Hostname()) + port + path
}
