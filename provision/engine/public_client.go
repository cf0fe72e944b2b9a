package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// PublicAccess is how a worker reaches shops at their public addresses. The zero value is a visitor's way: DNS says where a shop is, and the
// system's authorities vouch for its certificate.
type PublicAccess struct {
	Allowed     []netip.Prefix // networks that are not public and may hold shops
	Address     string         // host name or IP address where every shop is, whatever DNS says; "": DNS says it
	Authorities *x509.CertPool // nil: the system's
}

// PublicClient returns a client that requests shops at their public addresses as a browser would: it resolves the name and
// does a TLS handshake for each request, and follows redirects between http and https, but never to another host.
// Where DNS says where a shop is, it connects to public addresses and to allowed ones only: the customer's DNS decides where a name leads
// to, and a worker reaches what its customers must not. With a proxy, the proxy's address is the one that counts. An address that
// the operator has given is connected to as it is, without a proxy.
func PublicClient(access PublicAccess) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.TLSClientConfig = &tls.Config{RootCAs: access.Authorities, MinVersion: tls.VersionTLS12}
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	if access.Address == "" {
		dialer.Control = onlyPublic(access.Allowed)
		transport.DialContext = dialer.DialContext
	} else {
		transport.Proxy = nil
		transport.DialContext = dialTo(dialer, access.Address)
	}
	return &http.Client{Transport: transport, CheckRedirect: sameHost}
}

// dialTo connects to one host, at the port that was asked for.
func dialTo(dialer *net.Dialer, host string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
	}
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
