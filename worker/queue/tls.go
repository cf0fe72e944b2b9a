package queue

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

// Trust is whom a client believes, and who it says it is, where the URL asks for TLS. The zero value believes the
// system's authorities and shows no certificate. The files are read for each new connection, so that rotated ones are
// taken without a restart.
type Trust struct {
	CAFile            string // authorities in the place of the system's, PEM
	CertFile, KeyFile string // both or none, PEM
	ServerName        string // the name in the servers' certificates; empty: the host that is dialled
}

// check reads everything once, so that a mistake shows at the start.
func (trust Trust) check(secure bool) error {
	if trust != (Trust{}) && !secure {
		return errors.New("ORCH_REDIS_CA_FILE, ORCH_REDIS_CERT_FILE, ORCH_REDIS_KEY_FILE and ORCH_REDIS_SERVER_NAME are for TLS: " +
			"the scheme of REDIS_URL has to begin with rediss")
	}
	_, err := trust.config(false)
	return err
}

func (trust Trust) config(skipVerify bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: trust.ServerName, InsecureSkipVerify: skipVerify}
	if trust.CAFile != "" {
		text, err := os.ReadFile(trust.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ORCH_REDIS_CA_FILE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ORCH_REDIS_CA_FILE: %s holds no certificate in PEM form", trust.CAFile)
		}
	}
	if (trust.CertFile == "") != (trust.KeyFile == "") {
		return nil, errors.New("ORCH_REDIS_CERT_FILE and ORCH_REDIS_KEY_FILE belong together: set both or none")
	}
	if trust.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(trust.CertFile, trust.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("ORCH_REDIS_CERT_FILE and ORCH_REDIS_KEY_FILE: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// dial is how go-redis comes to a server, a sentinel or a node of a cluster behind TLS.
func (trust Trust) dial(timeout time.Duration, skipVerify bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		config, err := trust.config(skipVerify)
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
