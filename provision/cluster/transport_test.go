package cluster

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"orchestrator/provision"
)

func TestHelmsRequestsGoThroughTheSharedTransport(t *testing.T) {
	_, c := newFakeAPI(t)
	var requests atomic.Int32
	shared := c.conn.guard
	c.conn.guard = roundTrip(func(req *http.Request) (*http.Response, error) {
		requests.Add(1)
		return shared.RoundTrip(req)
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
	if err := first.cfg.KubeClient.IsReachable(); err != nil {
		t.Fatal(err)
	}
	if made := requests.Load() - before; made != 2 {
		t.Errorf("%d requests went through the shared transport, want 2", made)
	}
}

func TestOperationsDoNotShareWhatHelmChanges(t *testing.T) {
	_, c := newFakeAPI(t)
	getter := &opGetter{conn: c.conn, discovery: c.discovery, namespace: "a"}
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

func TestDiscoveryIsReadOnce(t *testing.T) {
	api, c := newFakeAPI(t)
	if err := provisionSteps(t.Context(), c, testStore(1)); err != nil {
		t.Fatal(err)
	}
	s := testStore(1)
	s.Namespace, s.StoreID = "store-2", "two"
	before := api.reads + len(api.writes)
	if err := provisionSteps(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	// Namespace and credentials make 5 requests, the rest is the release's; the chart has 4 objects.
	if made := api.reads + len(api.writes) - before; made > 27 {
		t.Errorf("a provision makes %d requests", made)
	} else {
		t.Logf("a provision makes %d requests", made)
	}
}

func TestManyStoresAtOnce(t *testing.T) {
	_, c := newFakeAPI(t)
	var done sync.WaitGroup
	for i := range 16 {
		done.Go(func() {
			s := testStore(1)
			s.StoreID = strings.Repeat("s", i+1)
			s.Namespace = "store-" + s.StoreID
			if err := provisionSteps(context.Background(), c, s); err != nil {
				t.Error(err)
			}
			if err := c.Releases().Remove(context.Background(), s); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

func TestWritesWaitForASlotOrTheContext(t *testing.T) {
	c := &Cluster{writes: semaphore.NewWeighted(1)}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := provision.Errorf(provision.CodeSuperseded, "newer")
	inside := func() error {
		cancel(cause)
		return c.write(ctx, func() error { t.Error("it ran without a slot"); return nil })
	}
	wantCode(t, c.write(t.Context(), inside), provision.CodeSuperseded)
	wantCode(t, c.write(ctx, func() error { t.Error("it ran for a run that has ended"); return nil }), provision.CodeSuperseded)
	if err := c.write(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("the slot was not given back: %v", err)
	}
}

func TestKubeconfigAndValuesAreReadOrRefusedWithTheirPath(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", `{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: "https://10.0.0.1:6443/prefix"}}],
  contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {token: hidden}}]}`)
	c, err := Connect(Config{Kubeconfig: good, Charts: tinyCharts(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if c.conn.host != "https://10.0.0.1:6443/prefix" {
		t.Errorf("the API server is at %s", c.conn.host)
	}
	for _, path := range []string{write("empty", ""), write("broken", "{"), filepath.Join(dir, "absent")} {
		if _, err := Connect(Config{Kubeconfig: path, Charts: tinyCharts()}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
	values, err := LoadValues(write("values", "a: {b: 1}"))
	if err != nil || values["a"].(map[string]any)["b"] == nil {
		t.Errorf("values %v, error %v", values, err)
	}
	if none, err := LoadValues(""); err != nil || none != nil {
		t.Errorf("values %v, error %v", none, err)
	}
	if _, err := LoadValues(write("list", "[1]")); err == nil {
		t.Error("a list was taken for values")
	}
}

func TestRequestThatIsNotAWatchEnds(t *testing.T) {
	asked := make(chan context.Context, 2)
	g := guard{roundTrip(func(req *http.Request) (*http.Response, error) {
		asked <- req.Context()
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})}
	client, err := rest.HTTPClientFor(&rest.Config{Host: "http://x", Transport: g})
	if err != nil {
		t.Fatal(err)
	}
	for query, bounded := range map[string]bool{"": true, "?watch=true": false} {
		res, err := client.Get("http://x/api/v1/pods" + query)
		if err != nil {
			t.Fatal(err)
		}
		ctx := <-asked
		if _, has := ctx.Deadline(); has != bounded {
			t.Errorf("%q: deadline %t, want %t", query, has, bounded)
		}
		_ = res.Body.Close()
		if bounded && ctx.Err() == nil {
			t.Error("the request's timer outlives its body")
		}
	}
}

func TestEventsOfAllInformersRingTheBellOfTheirNamespace(t *testing.T) {
	n := newNotifier()
	mine, unsubscribe := n.subscribe("a")
	other, unsubscribeOther := n.subscribe("b")
	defer unsubscribeOther()
	h := n.handler()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x"}}
	h.OnAdd(pod, false)
	h.OnUpdate(pod, pod)
	h.OnDelete(pod)
	if len(mine) != 1 || len(other) != 0 {
		t.Errorf("notified %d times for the namespace, %d for the other; want 1 and 0", len(mine), len(other))
	}
	unsubscribe()
	n.notify("a")
	if len(n.subscribers) != 1 {
		t.Errorf("%d namespaces are listened to, want 1", len(n.subscribers))
	}
}
