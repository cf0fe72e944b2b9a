package kube

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// apiServer answers as a Kubernetes API server with one release in namespace store-a.
func apiServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/store-a", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) })
	mux.HandleFunc("DELETE /api/v1/namespaces/store-a", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "requests_total 1\n") })
	mux.HandleFunc("GET /api/v1/namespaces/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	mux.HandleFunc("GET /api/v1/namespaces/store-a/secrets", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("labelSelector") != "owner=helm,name=a" {
			fmt.Fprint(w, `{"items":[]}`)
			return
		}
		fmt.Fprint(w, `{"items":[
			{"metadata":{"resourceVersion":"30","labels":{"version":"10","status":"deployed"}}},
			{"metadata":{"resourceVersion":"12","labels":{"version":"9","status":"superseded"}}}]}`)
	})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func writeConfig(t *testing.T, server *httptest.Server, user string) string {
	t.Helper()
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- {name: other, cluster: {server: "https://127.0.0.1:1"}}
- {name: c, cluster: {server: %q, certificate-authority-data: %s}}
users:
- {name: u, user: {%s}}
contexts:
- {name: x, context: {cluster: c, user: u}}
current-context: x
`, server.URL, ca, user)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAsksWhatATrialHasToKnow(t *testing.T) {
	c, err := Load(writeConfig(t, apiServer(t), "token: secret"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if r, err := c.Release(ctx, "store-a", "a"); err != nil || r != (Release{10, "deployed", "30"}) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := c.Release(ctx, "store-a", "b"); err != nil || r.Revision != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, want := range map[string]bool{"store-a": true, "store-b": false} {
		if has, err := c.HasNamespace(ctx, name); err != nil || has != want {
			t.Errorf("%s: %v, %v", name, has, err)
		}
	}
	if _, err := c.HasNamespace(ctx, "broken"); err == nil {
		t.Error("an error of the server is taken for an answer")
	}
}

func TestRequests(t *testing.T) {
	c, err := Load(writeConfig(t, apiServer(t), "token: secret"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if text, err := c.Text(ctx, "/metrics"); err != nil || text != "requests_total 1\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := c.Delete(ctx, "/api/v1/namespaces/store-a"); err != nil {
		t.Error(err)
	}
	var status *StatusError
	if err := c.Delete(ctx, "/api/v1/namespaces/store-b"); !errors.As(err, &status) || status.Code != http.StatusNotFound {
		t.Errorf("a namespace that does not exist: %v", err)
	}
	if err := c.Get(ctx, "/metrics", &struct{}{}); err == nil {
		t.Error("a text is taken for JSON")
	}
}

func TestATokenMayBeInAFile(t *testing.T) {
	path := writeConfig(t, apiServer(t), "tokenFile: token")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "token"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path + string(os.PathListSeparator) + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	if has, err := c.HasNamespace(context.Background(), "store-a"); err != nil || !has {
		t.Error(has, err)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	server := apiServer(t)
	for user, want := range map[string]string{
		"exec: {command: login}":                                       "logs in by a program",
		"tokenFile: /nowhere":                                          "no such file",
		"client-certificate-data: bm9uZQ":                              "base64",
		"client-certificate-data: bm9uZQ==, client-key-data: bm9uZQ==": "client certificate",
	} {
		if _, err := Load(writeConfig(t, server, user)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", user, err, want)
		}
	}
	if _, err := Load("/nowhere"); err == nil {
		t.Error("a missing file is taken")
	}
}
