//go:build realcluster

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"orchestrator/provision"
)

// front is the cluster's ingress as one store's visitors come by it.
type front struct {
	frontDoor
	trusts      *x509.CertPool
	authority   string // file of what trusts holds
	secrets     string // folder for ORCH_STORE_SECRETS_DIR; "" where the cluster makes the certificates
	certificate tls.Certificate
}

// newFront puts the store behind the front door of the options, and returns it; nil where there is none.
func newFront(t *testing.T, o *options, s *provision.Request) *front {
	t.Helper()
	if o.front == nil {
		return nil
	}
	door := *o.front
	o.front = &door // the storefront is this store's
	if s.Engine == "medusa" {
		door.storefront = serveStorefront(t)
	}
	s.Host = s.StoreID + "." + door.domain
	s.StoreURL = "https://" + s.Host
	if door.port != "" {
		s.StoreURL += ":" + door.port
	}
	f := &front{frontDoor: door, authority: door.authority}
	if f.authority == "" {
		f.certify(t)
	}
	text, err := os.ReadFile(f.authority)
	f.trusts = x509.NewCertPool()
	if err != nil || !f.trusts.AppendCertsFromPEM(text) {
		t.Fatalf("FRONT_CA: %s has no certificate that can be read (%v)", f.authority, err)
	}
	return f
}

// certify makes an authority and, as an installation would have it, a certificate for all its shops.
func (f *front) certify(t *testing.T) {
	t.Helper()
	now := time.Now()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of an end-to-end test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "*." + f.domain}, DNSNames: []string{"*." + f.domain}, NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	rootKey, leafKey := newKey(t), newKey(t)
	rootPEM, leafPEM := sign(t, root, root, rootKey, rootKey), sign(t, leaf, root, leafKey, rootKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if f.certificate, err = tls.X509KeyPair(leafPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	f.authority, f.secrets = filepath.Join(folder, "authority.pem"), filepath.Join(folder, "secrets")
	write(t, f.authority, rootPEM)
	write(t, filepath.Join(f.secrets, frontSecret, "tls.crt"), leafPEM)
	write(t, filepath.Join(f.secrets, frontSecret, "tls.key"), keyPEM)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, what, by *x509.Certificate, key, with *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, what, by, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// env has the service check shops through the front door, and bring them their certificate.
func (f *front) env() []string {
	if f == nil {
		return nil
	}
	return []string{"ORCH_VERIFY=public", "ORCH_VERIFY_ADDRESS=" + f.host, "ORCH_VERIFY_CA_FILE=" + f.authority, "ORCH_STORE_SECRETS_DIR=" + f.secrets}
}

// way leads every request to the ingress, at the port of the shop's URL. The certificate has to be the shop's.
func (f *front) way(t *testing.T) http.RoundTripper {
	transport := &http.Transport{DialContext: f.dial, TLSClientConfig: &tls.Config{RootCAs: f.trusts}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (f *front) dial(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(f.host, port))
}

// alive are pages that a shop answers with 200 when it works.
var alive = map[string]string{"woocommerce": "/wp-login.php", "medusa": "/health"}

// awaitWay waits until the ingress leads to the shop's pod again, after a change that the service was not asked for: an ingress
// learns of another pod or Service a moment later.
func (tr *tour) awaitWay() {
	tr.rig.t.Helper()
	if tr.front == nil {
		return
	}
	v := tr.visit()
	tr.eventually("the ingress leads to the shop", time.Minute, func() bool {
		time.Sleep(100 * time.Millisecond)
		return v.ask(http.MethodGet, alive[tr.store.Engine], nil).status == http.StatusOK
	})
}
