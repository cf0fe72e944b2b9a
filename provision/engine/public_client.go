package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// PublicClient returns a client that requests shops at their public addresses as a browser would: it resolves the name and
// does a TLS handshake for each request, and follows redirects between http and https, but never to another host.
// It connects to public addresses and to those in allowed only: the customer's DNS decides where a name leads to, and a worker reaches
// what its customers must not. With a proxy, the proxy's address is the one that counts.
func PublicClient(allowed []netip.Prefix) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	dialer := &net.Dialer{Timeout: 30 * time.Second, Control: onlyPublic(allowed)}
	transport.DialContext = dialer.DialContext
	return &http.Client{Transport: transport, CheckRedirect: sameHost}
}

func sameHost(next *http.Request, before []*http.Request) error {
	last := before[len(before)-1].URL
	// Redirects that change only the path are the caller's to follow: it detects circles.
	if next.URL.Hostname() != last.Hostname() || next.URL.Scheme == last.Scheme || len(before) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// transportReason says why a request got no response.
func transportReason(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return fmt.Sprintf("the name %s does not exist in DNS", e.Name)
	} else if ok {
		return fmt.Sprintf("the name %s could not be looked up in DNS", e.Name)
	}
	if e, ok := errors.AsType[addressError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("TLS: its certificate is not accepted: %v", e.Err)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "TLS: the server speaks plain HTTP on this port"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "remote error" {
		return "TLS: the server refused the handshake"
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "the connection is refused"
	}
	return "the shop does not accept connections yet"
}
