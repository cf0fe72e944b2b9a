package callback

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSFiles are PEM files for a backend behind a private authority. The zero value trusts the system's authorities and presents no
// certificate. The certificate is read for each new connection, so that a rotated one is used without a restart; the authorities
// are read once.
type TLSFiles struct {
	CA        string // authorities to trust instead of the system's
	Cert, Key string // certificate to present and its key; both or none
}

// config reads every file once, so that a mistake shows at the start. Its errors name the variables.
func (f TLSFiles) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("ORCH_BACKEND_CA_FILE: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ORCH_BACKEND_CA_FILE: %s holds no PEM certificate", f.CA)
		}
	}
	if f.Cert == "" && f.Key == "" {
		return config, nil
	}
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("ORCH_BACKEND_CERT_FILE and ORCH_BACKEND_KEY_FILE must be set together: a certificate needs its key")
	}
	if _, err := f.certificate(nil); err != nil {
		return nil, err
	}
	config.GetClientCertificate = f.certificate
	return config, nil
}

func (f TLSFiles) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("ORCH_BACKEND_CERT_FILE with ORCH_BACKEND_KEY_FILE: %w", err)
	}
	return &pair, nil
}
