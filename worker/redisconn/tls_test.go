package redisconn

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
)

func pinged(t *testing.T, url string, options TLSOptions) error {
	t.Helper()
	client, err := Connect(url, FailFast, options)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return client.Ping(ctx).Err()
}

func TestConnectTLSWithAClientCertificateAndAnACLUser(t *testing.T) {
	t.Parallel()
	s := redistest.StartSecure(t)
	url := "rediss://" + s.User + ":p%40ss%2Fword@" + s.Addr + "?max_retries=-1"
	complete := TLSOptions{CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile}
	if err := pinged(t, url, complete); err != nil {
		t.Errorf("with all that is needed: %v", err)
	}
	named := complete
	named.ServerName = "redis.example"
	if err := pinged(t, url, named); err != nil {
		t.Errorf("by the name in the certificate: %v", err)
	}
	if err := pinged(t, url+"&skip_verify=true", TLSOptions{CertFile: s.CertFile, KeyFile: s.KeyFile}); err != nil {
		t.Errorf("unverified: %v", err)
	}
	for what, options := range map[string]TLSOptions{
		"an unknown authority": {CertFile: s.CertFile, KeyFile: s.KeyFile},
		"no certificate":       {CAFile: s.CAFile},
		"another name":         {CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile, ServerName: "other.example"},
	} {
		if err := pinged(t, url, options); err == nil {
			t.Errorf("%s: it answers", what)
		} else if !Unreachable(err) && !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := pinged(t, strings.Replace(url, "word@", "wrong@", 1), complete); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("with a wrong password: %v", err)
	}
}

// A rotated certificate is taken by the next connection.
func TestConnectReadsCertificatesForEachConnection(t *testing.T) {
	t.Parallel()
	s := redistest.StartSecure(t)
	dir := t.TempDir()
	own := TLSOptions{CAFile: s.CAFile, CertFile: filepath.Join(dir, "crt"), KeyFile: filepath.Join(dir, "key")}
	copyFile(t, s.CertFile, own.CertFile)
	copyFile(t, s.KeyFile, own.KeyFile)
	client, err := Connect("rediss://"+s.User+":p%40ss%2Fword@"+s.Addr+"?max_retries=-1&max_idle_conns=1&conn_max_lifetime=1ms", FailFast, own)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ping := func() error { return client.Ping(context.Background()).Err() }
	if err := ping(); err != nil {
		t.Fatal(err)
	}
	os.Remove(own.CertFile)
	time.Sleep(2 * time.Millisecond) // the lifetime of the first connection
	if err := ping(); err == nil {
		t.Error("a connection was made without the certificate")
	}
	copyFile(t, s.CertFile, own.CertFile)
	time.Sleep(2 * time.Millisecond)
	for deadline := time.Now().Add(20 * time.Second); ping() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the certificate that came back is not taken")
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestConnectRefusesTLSOptionsThatDoNotFit(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for says, c := range map[string]struct {
		url     string
		options TLSOptions
	}{
		"begin with rediss":    {"redis-cluster://a:1", TLSOptions{CAFile: empty}},
		"no PEM certificate":   {"rediss://a:1", TLSOptions{CAFile: empty}},
		"CAFile: open":         {"rediss://a:1", TLSOptions{CAFile: empty + ".none"}},
		"KeyFile: is missing":  {"rediss-sentinel://a:1/m", TLSOptions{CertFile: empty}},
		"CertFile: is missing": {"rediss-sentinel://a:1/m", TLSOptions{KeyFile: empty}},
		"PEM data":             {"rediss://a:1", TLSOptions{CertFile: empty, KeyFile: empty}},
	} {
		if _, err := Connect(c.url, FailFast, c.options); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}
