package helm

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"orchestrator/provision/cluster/kube"
)

// emptyAPI answers discovery and lists no objects, which is all that reading a release needs.
func emptyAPI(w http.ResponseWriter, r *http.Request) {
	answers := map[string]any{
		"/version": map[string]string{"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
		"/api":     &metav1.APIVersions{Versions: []string{"v1"}},
		"/apis":    &metav1.APIGroupList{},
		"/api/v1":  &metav1.APIResourceList{GroupVersion: "v1"},
	}
	w.Header().Set("Content-Type", "application/json")
	if answer, ok := answers[r.URL.Path]; ok {
		_ = json.NewEncoder(w).Encode(answer)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "SecretList", "items": []any{}})
}

// newTestClient is connected to an API server without objects. All connections to it pass wrap.
func newTestClient(t *testing.T, wrap func(http.RoundTripper) http.RoundTripper) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(emptyAPI))
	t.Cleanup(server.Close)
	api, err := kube.New(kube.Config{Log: slog.New(slog.DiscardHandler)}, &rest.Config{Host: server.URL, WrapTransport: wrap})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(api, Charts{FS: tinyCharts()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOperationUsesTheSharedTransport(t *testing.T) {
	var requests atomic.Int32
	c := newTestClient(t, func(shared http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			requests.Add(1)
			return shared.RoundTrip(req)
		})
	})
	first, err := c.operation(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer first.cancel()
	before := requests.Load()
	if _, err := first.last("shop"); err != nil {
		t.Fatal(err)
	}
	if err := first.objects.Client.IsReachable(); err != nil {
		t.Fatal(err)
	}
	if made := requests.Load() - before; made != 2 {
		t.Errorf("%d requests went through the shared transport, want 2", made)
	}
}

func TestOperationsShareNothingThatHelmChanges(t *testing.T) {
	c := newTestClient(t, nil)
	getter := &opGetter{api: c.api, namespace: "a"}
	one, _ := getter.ToRESTConfig()
	other, _ := getter.ToRESTConfig()
	one.APIPath = "/changed"
	if one == other || other.APIPath != "" {
		t.Error("two callers got the same rest.Config")
	}
	caps, err := c.discovery.capabilities()
	if err != nil {
		t.Fatal(err)
	}
	caps.KubeVersion.Version = "changed"
	if again, _ := c.discovery.capabilities(); again.KubeVersion.Version != "v1.37.0" {
		t.Error("capabilities are shared")
	}
}
