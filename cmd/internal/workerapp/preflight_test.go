package workerapp

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

// checksOf are the checks of one subject that did not pass.
func checksOf(t *testing.T, redisURL string, c Config, subject string) (found []provision.Check) {
	t.Helper()
	for _, one := range Preflight(t.Context(), common(redisURL), c, false, slog.New(slog.DiscardHandler)) {
		if one.Subject == subject && one.Result != provision.CheckOK {
			found = append(found, one)
		}
	}
	return found
}

// withBackend is a configuration with a backend that answers so, in mock mode.
func withBackend(t *testing.T, answer http.HandlerFunc) Config {
	t.Helper()
	backend := httptest.NewServer(answer)
	t.Cleanup(backend.Close)
	c := valid()
	c.Backend, c.Installation = backend.URL+"/api", "test"
	return c
}

func TestPreflightOfTheBackend(t *testing.T) {
	url := redistest.URL(redistest.MiniServer(t))
	var asked []string
	good := withBackend(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+r.Header.Get("X-Orchestrator-Token")+r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusNotFound)
	})
	if found := checksOf(t, url, good, "backend"); found != nil || len(asked) != 1 || asked[0] != "GET /" {
		t.Errorf("a backend that answers: %+v, asked %q", found, asked)
	}
	moved := withBackend(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusMovedPermanently)
	})
	if found := checksOf(t, url, moved, "backend"); len(found) != 1 || found[0].Result != provision.CheckWarning || !strings.Contains(found[0].Detail, "elsewhere.example.com") {
		t.Errorf("a backend that redirects: %+v", found)
	}
	away := good
	away.Backend = "http://user:secret-password@127.0.0.1:1/api"
	if found := checksOf(t, url, away, "backend"); len(found) != 1 || found[0].Result != provision.CheckFailed || strings.Contains(found[0].Detail, "secret-password") {
		t.Errorf("a backend that is away: %+v", found)
	}
}

func TestPreflightOfRedis(t *testing.T) {
	c := withBackend(t, func(http.ResponseWriter, *http.Request) {})
	if found := checksOf(t, "redis://127.0.0.1:1", c, "redis"); len(found) != 1 || found[0].Result != provision.CheckFailed {
		t.Errorf("a Redis that is away: %+v", found)
	}
	server := redistest.MiniServer(t)
	for _, one := range checksOf(t, redistest.URL(server), c, "redis") {
		if one.Result == provision.CheckFailed {
			t.Errorf("a Redis that answers: %+v", one)
		}
	}
	c.Mock, c.Installation = false, ""
	c.Kubeconfig = filepath.Join(t.TempDir(), "none")
	unnamed := false
	for _, one := range checksOf(t, redistest.URL(server), c, "redis") {
		unnamed = unnamed || strings.Contains(one.Remedy, "ORCH_INSTALLATION")
	}
	if !unnamed {
		t.Error("nothing is said of an installation without a name")
	}
	if found := checksOf(t, redistest.URL(server), c, c.Kubeconfig); len(found) != 1 || found[0].Result != provision.CheckFailed {
		t.Errorf("a cluster without a kubeconfig: %+v", found)
	}
}

func TestPreflightOfTheCharts(t *testing.T) {
	c := withBackend(t, func(http.ResponseWriter, *http.Request) {})
	c.Mock = false
	c.ValuesFile = filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(c.ValuesFile, []byte("common: {storageClass: [a]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := checksOf(t, redistest.URL(redistest.MiniServer(t)), c, "charts"); len(found) != 1 || found[0].Result != provision.CheckFailed {
		t.Errorf("values that do not fit: %+v", found)
	}
}

// TestNeedsAreReadFromTheCharts: what an installation sets is what its clusters are asked for.
func TestNeedsAreReadFromTheCharts(t *testing.T) {
	c := valid()
	c.Mock = false
	c.ValuesFile = filepath.Join(t.TempDir(), "values.yaml")
	values := "common: {storageClass: fast, ingress: {className: public}, route: {enabled: true, parentRefs: [{name: gateway}]}}\n"
	if err := os.WriteFile(c.ValuesFile, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	installed, err := c.charts()
	if err != nil {
		t.Fatal(err)
	}
	needs, err := needsOf(installed)
	if err != nil || strings.Join(needs.StorageClasses, ",") != "fast" || strings.Join(needs.IngressClasses, ",") != "public" || !needs.Gateway {
		t.Errorf("%+v, %v", needs, err)
	}
}
