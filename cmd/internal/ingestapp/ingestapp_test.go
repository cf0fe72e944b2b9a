package ingestapp

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/record"
)

func rule(cluster string) provision.Rules {
	return provision.Rules{{Field: "country", Value: "DE", Clusters: []string{cluster}}}
}

func TestConfigValidateReportsAllMistakesByVariable(t *testing.T) {
	clusters := provision.Clusters{{Name: "eu", Weight: 1}}
	if err := (Config{Timeout: 3 * time.Second, Rules: rule("eu")}).Validate(clusters); err != nil {
		t.Error(err)
	}
	err := Config{Timeout: time.Minute, Rules: rule("us"), ReservedHosts: []string{"*.a"}, HostSuffixes: []string{"A"}}.Validate(clusters)
	for _, want := range []string{"ORCH_ACCEPT_TIMEOUT is 1m0s", "ORCH_PLACEMENT: ", `"us"`, "ORCH_RESERVED_HOSTS: ", "ORCH_ALLOWED_HOST_SUFFIXES: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
}

// open returns an API on this Redis, with two clusters and a reserved namespace.
func open(t *testing.T, redisURL string) *API {
	t.Helper()
	common := service.Common{
		Redis:             service.Redis{URL: redisURL},
		Tokens:            service.Tokens{Tokens: []string{"new", "old"}},
		GenerationTimeout: service.GenerationTimeout{Deadline: time.Hour},
		Clusters:          service.Clusters{Clusters: provision.Clusters{{Name: "eu", Weight: 1}, {Name: "us", Weight: 1}}},
	}
	api, err := Open(common, Config{ReservedNamespaces: []string{"monitoring"}, ReservedHosts: []string{".platform.test"}, Timeout: time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return api
}

func post(api *API, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Orchestrator-Token", token)
	w := httptest.NewRecorder()
	api.Handler.ServeHTTP(w, r)
	return w
}

func request(engine, namespace, cluster string) string {
	return `{"store_id":"s","name":"s","engine":"` + engine + `","namespace":"` + namespace + `","cluster":"` + cluster + `","host":"s.test","store_url":"https://s.test"}`
}

func TestOpenPassesTheConfigurationToTheAPI(t *testing.T) {
	api := open(t, redistest.Mini(t))
	if err := api.Check(t.Context()); !record.Incomplete(err) { // no worker has prepared this Redis yet
		t.Errorf("Check returns %v", err)
	}
	for what, c := range map[string]struct {
		token, body string
		status      int
		says        string
	}{
		"a wrong token":        {"x", request("medusa", "store-s", "eu"), http.StatusUnauthorized, ""},
		"an unknown engine":    {"new", request("shopify", "store-s", "eu"), http.StatusUnprocessableEntity, "woocommerce"},
		"a reserved namespace": {"old", request("medusa", "monitoring", "eu"), http.StatusUnprocessableEntity, "namespace"},
		"a reserved host":      {"new", strings.ReplaceAll(request("medusa", "store-s", "eu"), "s.test", "s.platform.test"), http.StatusUnprocessableEntity, "host"},
		"an unknown cluster":   {"new", request("medusa", "store-s", "asia"), http.StatusUnprocessableEntity, "eu"},
		// No worker has prepared this Redis yet, so nothing is accepted.
		"a valid request": {"new", request("medusa", "store-s", "us"), http.StatusServiceUnavailable, ""},
	} {
		if w := post(api, c.token, c.body); w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s, want %d %q", what, w.Code, w.Body, c.status, c.says)
		}
	}
	if families, err := api.Metrics.Gather(); err != nil || len(families) == 0 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
}

func TestOpenNeedsNoRedisUntilARequestArrives(t *testing.T) {
	api := open(t, "redis://127.0.0.1:1")
	if err := api.Check(t.Context()); err == nil {
		t.Error("Check passes without Redis")
	}
	if w := post(api, "new", request("medusa", "store-s", "eu")); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("without Redis a request is answered with %d", w.Code)
	}
}

func TestOpenRefusesARedisURLByItsVariable(t *testing.T) {
	_, err := Open(service.Common{Redis: service.Redis{URL: "http://:secret@host"}}, Config{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "REDIS_URL") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestConfigReadsTheTokensFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Config{Timeout: time.Second, TokensFile: path}
	if err := c.Validate(nil); err == nil || !strings.Contains(err.Error(), "ORCH_TOKENS_FILE: open "+path) {
		t.Errorf("a file that is missing: %v", err)
	}
	write("on-call operate not-a-hash")
	if err := c.Validate(nil); err == nil || !strings.Contains(err.Error(), "ORCH_TOKENS_FILE: "+path+": line 1: token on-call") {
		t.Errorf("a line without a hash: %v", err)
	}
	write("on-call operate 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b") // of "secret"
	if err := c.Validate(nil); err != nil {
		t.Error(err)
	}
	common := service.Common{Redis: service.Redis{URL: redistest.Mini(t)}, Tokens: service.Tokens{Tokens: []string{"backend"}},
		GenerationTimeout: service.GenerationTimeout{Deadline: time.Hour}}
	api, err := Open(common, c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	for token, want := range map[string]int{"secret": http.StatusOK, "backend": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodGet, "/clusters", nil)
		r.Header.Set("X-Orchestrator-Token", token)
		w := httptest.NewRecorder()
		if api.Handler.ServeHTTP(w, r); w.Code != want {
			t.Errorf("token %s: %d %s, want %d", token, w.Code, w.Body, want)
		}
	}
}
