package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Outside returns a client that asks shops at their public addresses as a browser would: it looks a name up and shakes
// hands anew for each question, and follows redirects, but never to another host, and not to WordPress's installer.
// Addresses are not filtered: a shop may well be on a private one, and no question carries a secret.
func Outside() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport, CheckRedirect: sameHost}
}

func sameHost(next *http.Request, before []*http.Request) error {
	last := before[len(before)-1].URL
	// What changes only the path is followed by whoever asked, who recognises circles.
	if next.URL.Hostname() != last.Hostname() || next.URL.Scheme == last.Scheme || len(before) > mostHops ||
		strings.Contains(next.URL.Path, "/wp-admin/install.php") {
		return http.ErrUseLastResponse
	}
	return nil
}

// onTheWay says in words what kept a question from its answer.
func onTheWay(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return fmt.Sprintf("the name %s does not exist in DNS", e.Name)
	} else if ok {
		return fmt.Sprintf("the name %s could not be looked up in DNS", e.Name)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("TLS: its certificate is not accepted: %v", e.Err)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "TLS: what listens there does not speak it"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return "TLS: the handshake was refused"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "the connection is refused"
	}
	return "the shop does not take connections yet"
}
