package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "0123456789abcdef0123456789abcdef"

// environment is a valid one with changes.
func environment(changes map[string]string) (config, error) {
	all := map[string]string{"ORCH_BACKUP_GATE_KEY": key, "ORCH_BACKUP_STORAGE": "http://gate:secret@storage:8000/backups"}
	for name, value := range changes {
		all[name] = value
	}
	var c config
	if err := env.ParseWithOptions(&c, env.Options{Environment: all}); err != nil {
		return c, err
	}
	return c, c.Validate()
}

func TestConfiguration(t *testing.T) {
	c, err := environment(nil)
	if err != nil {
		t.Fatal(err)
	}
	g := c.gate()
	if g.Storage.Host != "storage:8000" || g.MaxObject != 256<<20 || g.AtOnce != 100 || g.PerStore != 10 || g.Stall != time.Minute || g.Keys.IsZero() {
		t.Errorf("%+v", g)
	}
	if text := fmt.Sprintf("%v %+v", c, c.Storage); strings.Contains(text, "secret") || strings.Contains(text, key) {
		t.Errorf("the configuration shows its secrets: %s", text)
	}
}

func TestMistakesInTheConfiguration(t *testing.T) {
	for variable, values := range map[string]map[string]string{
		"ORCH_BACKUP_GATE_KEY": {"": "", "short": "key 1 of 1 has 5 characters", key + "," + key: "key 2 of 2 is key 1 again"},
		"ORCH_BACKUP_STORAGE": {"": "", "http://gate:sec%ret@storage": "it is no URL", "http://gate:secret@": "must begin with", "s3://gate:secret@bucket": "must begin with",
			"http://gate:secret@storage/?x": "neither a query"},
		"ORCH_BACKUP_MAX_OBJECT":        {"0": "ORCH_BACKUP_MAX_OBJECT is 0"},
		"ORCH_BACKUP_AT_ONCE":           {"0": "ORCH_BACKUP_AT_ONCE is 0"},
		"ORCH_BACKUP_AT_ONCE_PER_STORE": {"-1": "ORCH_BACKUP_AT_ONCE_PER_STORE is -1"},
		"ORCH_BACKUP_STALL":             {"1ms": "ORCH_BACKUP_STALL is 1ms"},
		"ORCH_BACKUP_GATE_CERT_FILE":    {"/nowhere": "ORCH_BACKUP_GATE_CERT_FILE with ORCH_BACKUP_GATE_KEY_FILE"},
	} {
		for value, want := range values {
			_, err := environment(map[string]string{variable: value})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s=%q: error %v, want %q", variable, value, err, want)
			} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), key) {
				t.Errorf("%s: a secret is in the error: %v", variable, err)
			}
		}
	}
}

// certificate writes a certificate of loopback with this serial number, and returns who trusts it.
func certificate(t *testing.T, c config, serial int64) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{c.CertFile: {Type: "CERTIFICATE", Bytes: raw}, c.KeyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// TestTheWholeOfItWithTLS: a certificate that was renewed is shown without a restart, and the admin address shows metrics.
func TestTheWholeOfItWithTLS(t *testing.T) {
	dir := t.TempDir()
	c, err := environment(map[string]string{"ORCH_BACKUP_GATE_ADDR": freeAddr(t), "ORCH_BACKUP_GATE_ADMIN_ADDR": freeAddr(t)})
	if err != nil {
		t.Fatal(err)
	}
	c.CertFile, c.KeyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	first := certificate(t, c, 1)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, c, slog.New(slog.DiscardHandler)) }()
	if got := serialOf(t, c, first); got != 1 {
		t.Errorf("certificate %d is shown, want the first", got)
	}
	if got := serialOf(t, c, certificate(t, c, 2)); got != 2 {
		t.Errorf("certificate %d is shown, want the second", got)
	}
	response, err := http.Get("http://" + c.AdminAddr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if !strings.Contains(string(text), `orchestrator_backup_gate_requests_total{code="401",kind="other",method="GET"}`) {
		t.Errorf("%s", text)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// serialOf asks the gate for nothing, and returns the serial number of the certificate that it shows.
func serialOf(t *testing.T, c config, pool *x509.CertPool) int64 {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for tried := time.NewTicker(10 * time.Millisecond); ; <-tried.C {
		response, err := client.Get("https://" + c.Addr + "/")
		if err != nil && strings.Contains(err.Error(), "refused") && t.Context().Err() == nil {
			continue // it is not there yet
		}
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized || response.ProtoMajor != 1 {
			t.Errorf("%s %s", response.Proto, response.Status)
		}
		return response.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
