package state

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

const validity = 10 * 365 * 24 * time.Hour

// EnsureKeys makes what is missing in pki/: a certificate authority (ca.crt), one server certificate for all components
// (server.crt, server.key), and the key that signs service account tokens (sa.key, sa.pub). What exists is kept, since
// kubeconfigs and tokens that are out depend on it.
func (d Dir) EnsureKeys() error {
	if !d.has("pki/server.crt") {
		if err := d.makeServing(); err != nil {
			return fmt.Errorf("make the server certificate: %w", err)
		}
	}
	if !d.has("pki/sa.pub") {
		if err := d.makeSigning(); err != nil {
			return fmt.Errorf("make the key for service accounts: %w", err)
		}
	}
	return nil
}

// makeServing signs a server certificate with an authority whose key is thrown away: nothing else is ever signed by it.
func (d Dir) makeServing() error {
	caKey, err := newKey()
	if err != nil {
		return err
	}
	ca := certificate("devcluster", 1)
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	server := certificate("devcluster server", 2)
	server.KeyUsage, server.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	if err := d.writeKey("server.key", key); err != nil {
		return err
	}
	if err := d.writePEM("ca.crt", "CERTIFICATE", caDER); err != nil {
		return err
	}
	return d.writePEM("server.crt", "CERTIFICATE", serverDER) // last: its presence says that the others are there
}

func (d Dir) makeSigning() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := d.writeKey("sa.key", key); err != nil {
		return err
	}
	return d.writePEM("sa.pub", "PUBLIC KEY", public)
}

func certificate(name string, serial int64) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour), // clocks of virtual machines jump
		NotAfter:     now.Add(validity),
	}
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func (d Dir) writeKey(name string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return d.writePEM(name, "EC PRIVATE KEY", der)
}

func (d Dir) writePEM(name, kind string, der []byte) error {
	return os.WriteFile(d.Path("pki", name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
