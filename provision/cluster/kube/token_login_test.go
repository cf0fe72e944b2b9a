package kube

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// guarded is an API server that takes some tokens and remembers what it was shown.
type guarded struct {
	mu    sync.Mutex
	good  func(token string) bool
	shown []string // "METHOD path: Authorization"
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shown = append(g.shown, fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, r.Header.Get("Authorization")))
	if !g.good(r.Header.Get("Authorization")) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, "{}")
}

// loggedIn connects to a server with tokens t1, t2, … of which each is good for life.
func loggedIn(t *testing.T, g *guarded, life time.Duration) *Client {
	t.Helper()
	server := httptest.NewTLSServer(g)
	t.Cleanup(server.Close)
	made := 0
	api := &APIServer{Server: server.URL, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		Token: func() (string, time.Time, error) {
			made++
			return fmt.Sprint("t", made), time.Now().Add(life), nil
		}}
	c, err := Connect(Config{APIServer: api, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func version(t *testing.T, c *Client) error {
	t.Helper()
	_, err := c.Clientset.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(t.Context())
	return err
}

func TestAPIServerTokenIsUsedUntilShortlyBeforeItsExpiry(t *testing.T) {
	for _, c := range []struct {
		life time.Duration
		want []string
	}{
		{15 * time.Minute, []string{"GET /version: Bearer t1", "GET /version: Bearer t1"}},
		{refreshBefore - time.Second, []string{"GET /version: Bearer t1", "GET /version: Bearer t2"}},
	} {
		g := &guarded{good: func(string) bool { return true }}
		k := loggedIn(t, g, c.life)
		for range 2 {
			if err := version(t, k); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(g.shown, c.want) {
			t.Errorf("with tokens for %s the API server was shown %q", c.life, g.shown)
		}
	}
}

func TestAPIServerTokenIsReplacedAfterARefusal(t *testing.T) {
	g := &guarded{good: func(token string) bool { return token == "Bearer t2" }}
	k := loggedIn(t, g, time.Hour)
	for range 2 { // one that is just made is given a second chance
		if err := version(t, k); err == nil {
			t.Error("a refused token was taken")
		}
	}
	if err := version(t, k); err != nil {
		t.Errorf("after a refusal: %v; shown %q", err, g.shown)
	}
}

func TestPortForwardUsesTheTokenOfTheClient(t *testing.T) {
	g := &guarded{good: func(string) bool { return false }}
	k := loggedIn(t, g, time.Hour)
	if _, err := k.PortForward(t.Context(), "store-a", "pod-1", 80); err == nil {
		t.Fatal("a tunnel was opened to nowhere")
	}
	const path = " /api/v1/namespaces/store-a/pods/pod-1/portforward: Bearer t1"
	if want := []string{"GET" + path, "POST" + path}; !slices.Equal(g.shown, want) { // by WebSocket, then by SPDY
		t.Errorf("asked %q", g.shown)
	}
}

func TestConfigAcceptsTheTextOfAKubeconfig(t *testing.T) {
	text := "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: c, cluster: {server: 'https://api.test'}}]\n" +
		"users: [{name: u, user: {token: secretpass}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
	cfg, err := Config{Text: []byte(text)}.restConfig()
	if err != nil || cfg.Host != "https://api.test" || cfg.BearerToken != "secretpass" {
		t.Errorf("%v, %v", cfg, err)
	}
	if _, err := (Config{Text: []byte("a: [")}).restConfig(); err == nil {
		t.Error("a broken text was taken")
	}
}
