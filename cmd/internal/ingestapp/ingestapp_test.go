package ingestapp

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

func rule(cluster string) provision.Rules {
	return provision.Rules{{Field: "country", Value: "DE", Clusters: []string{cluster}}}
}

func TestConfigValidateReportsAllMistakesByVariable(t *testing.T) {
	clusters := provision.Clusters{{Name: "eu", Weight: 1}}
	if err := (Config{Timeout: 3 * time.Second, Rules: rule("eu")}).Validate(clusters); err != nil {
		t.Error(err)
	}
	err := Config{Timeout: time.Minute, Rules: rule("us")}.Validate(clusters)
	for _, want := range []string{"ORCH_ACCEPT_TIMEOUT is 1m0s", "ORCH_PLACEMENT: ", `"us"`} {
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
	api, err := Open(common, Config{ReservedNamespaces: []string{"monitoring"}, Timeout: time.Second}, slog.New(slog.DiscardHandler))
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
	if err := api.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]struct {
		token, body string
		status      int
		says        string
	}{
		"a wrong token":        {"x", request("medusa", "store-s", "eu"), http.StatusUnauthorized, ""},
		"an unknown engine":    {"new", request("shopify", "store-s", "eu"), http.StatusUnprocessableEntity, "woocommerce"},
		"a reserved namespace": {"old", request("medusa", "monitoring", "eu"), http.StatusUnprocessableEntity, "namespace"},
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
