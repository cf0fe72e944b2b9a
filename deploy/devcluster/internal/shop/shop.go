// Package shop is a stand-in for the shops that simulated pods cannot run. It answers at any host as WooCommerce and as
// Medusa do, as far as the orchestrator asks; per host it can be set to misbehave.
package shop

import (
	"net"
	"net/http"
	"strings"
)

// Shop answers for every host. It is safe for use by many goroutines.
type Shop struct {
	modes modes
	mux   *http.ServeMux
}

// New returns a shop where every host behaves.
func New() *Shop {
	s := &Shop{mux: http.NewServeMux()}
	s.woocommerce(s.mux)
	s.medusa(s.mux)
	return s
}

// ServeHTTP answers as the shop of the request's host.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch s.modes.of(hostOf(r)) {
	case Broken:
		s.databaseDown(w, r)
	case Hang:
		<-r.Context().Done() // the caller's patience ends it
	case RedirectLoop:
		http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
	case Installer:
		s.installer(w, r)
	case ComingSoon:
		s.comingSoon(w, r)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// refusesPassword says whether the host's shop knows another password than the caller's.
func (s *Shop) refusesPassword(r *http.Request) bool { return s.modes.of(hostOf(r)) == WrongPassword }

// hostOf returns the host that is asked for, without port, in lower case.
func hostOf(r *http.Request) string { return normalHost(r.Host) }

func normalHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
