package redisconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// TLSOptions are used where the URL asks for TLS. The zero value trusts the system's authorities and presents no certificate.
// The files are read for each new connection, so that rotated ones are used without a restart.
type TLSOptions struct {
	CAFile            string // PEM file of the authorities to trust instead of the system's
	CertFile, KeyFile string // PEM files of the certificate to present and its key; both or none
	ServerName        string // the name in the servers' certificates; empty: the host that is connected to
}

// check reads everything once, so that a mistake shows at the start.
func (o TLSOptions) check(secure bool) error {
	given := map[string]string{"CAFile": o.CAFile, "CertFile": o.CertFile, "KeyFile": o.KeyFile, "ServerName": o.ServerName}
	for _, option := range []string{"CAFile", "CertFile", "KeyFile", "ServerName"} {
		if given[option] != "" && !secure {
			return &OptionError{option, errors.New("is used with TLS only, and the scheme of the URL does not begin with rediss")}
		}
	}
	_, err := o.config(false)
	return err
}

func (o TLSOptions) config(skipVerify bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName, InsecureSkipVerify: skipVerify}
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, &OptionError{"CAFile", err}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, &OptionError{"CAFile", fmt.Errorf("%s holds no PEM certificate", o.CAFile)}
		}
	}
	switch {
	case o.CertFile == "" && o.KeyFile == "":
		return config, nil
	case o.CertFile == "":
		return nil, &OptionError{"CertFile", errors.New("is missing: a key needs its certificate")}
	case o.KeyFile == "":
		return nil, &OptionError{"KeyFile", errors.New("is missing: a certificate needs its key")}
	}
	pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, &OptionError{"CertFile", fmt.Errorf("with its key: %w", err)}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// dial connects to a server, a sentinel or a node of a Cluster by TLS.
func (o TLSOptions) dial(timeout time.Duration, skipVerify bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		config, err := o.config(skipVerify)
		if err != nil {
			return nil, err
		}
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, timeout) // for the handshake too
			defer cancel()
		}
		return (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
	}
}
