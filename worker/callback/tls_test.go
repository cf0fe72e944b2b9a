package callback

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for a client, signed by itself, and its key.
func certificate(t *testing.T) (cert, key string, parsed *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "worker"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return pemFile(t, "CERTIFICATE", der), pemFile(t, "EC PRIVATE KEY", text), parsed
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSendToABackendWithAPrivateAuthority(t *testing.T) {
	cert, key, mine := certificate(t)
	server := httptest.NewUnstartedServer(says(200, ""))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	server.TLS.ClientCAs.AddCert(mine)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it expects the handshakes that fail
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pemFile(t, "CERTIFICATE", server.Certificate().Raw)

	for name, c := range map[string]struct {
		files TLSFiles
		want  Outcome
		says  string
	}{
		"nothing":         {TLSFiles{}, Retry, "certificate signed by unknown authority"},
		"authority":       {TLSFiles{CA: ca}, Retry, "certificate"},
		"and certificate": {TLSFiles{CA: ca, Cert: cert, Key: key}, Delivered, ""},
	} {
		s, err := NewSender(server.URL, testToken, "", c.files)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.client.CloseIdleConnections)
		if r := s.Send(context.Background(), ready()); r.Outcome != c.want || !strings.Contains(r.Reason, c.says) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestNewSenderRefusesFilesByTheirVariables(t *testing.T) {
	cert, key, _ := certificate(t)
	for want, files := range map[string]TLSFiles{
		"ORCH_BACKEND_CA_FILE: open missing":                                    {CA: "missing"},
		"ORCH_BACKEND_CA_FILE: " + key + " holds no PEM certificate":            {CA: key},
		"ORCH_BACKEND_CERT_FILE and ORCH_BACKEND_KEY_FILE must be set together": {Cert: cert},
		"ORCH_BACKEND_CERT_FILE with ORCH_BACKEND_KEY_FILE: ":                   {Cert: key, Key: cert},
	} {
		if _, err := NewSender("https://backend", testToken, "", files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
