//go:build devcluster

package workerapp

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/internal/service"
)

// TestATraceOfARealCluster: Helm and every request of a run are in it, each below the step that makes it, and no password that the shop has got.
func TestATraceOfARealCluster(t *testing.T) {
	kubeconfig := os.Getenv("ORCH_TEST_KUBECONFIG")
	if kubeconfig == "" {
		t.Fatal("ORCH_TEST_KUBECONFIG is not set: .ci/integration does that")
	}
	to := newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", to.URL)
	tracing, err := service.StartTracing(t.Context(), "worker", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := startTraced(t, tracing, http.StatusOK, kubeconfig)
	shop := strings.NewReplacer(`"store_id":"s"`, `"store_id":"traced"`, "store-s", "store-traced", "s.test", "traced.test")
	s.post("/", shop.Replace(aShop))
	await := func(ended int) {
		again := time.NewTicker(50 * time.Millisecond)
		defer again.Stop()
		for end := time.Now().Add(3 * time.Minute); strings.Count(tree(to.drawn()), "process ") < ended && time.Now().Before(end); <-again.C {
			tracing.Flush(t.Context())
		}
	}
	await(2)
	whole := tree(to.drawn())
	t.Logf("one store:\n%s", whole)
	s.post("/", `{"store_id":"traced","action":"delete"}`)
	await(4)
	s.stop()
	tracing.Stop()
	for _, want := range []string{"process provision (consumer) READY", "\n      helm apply\n        kube GET namespaces (client)\n", "\n        kube POST deployments (client)\n",
		"    step namespace\n      kube GET namespaces", "    step verify\n", "  process callback (consumer) delivered\n    read password\n      kube GET secrets (client)\n"} {
		if !strings.Contains(whole, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(whole, "\n") + 1; strings.Contains(whole, "watch") || n > 300 {
		t.Errorf("%d lines", n)
	}
	var ready struct{ Status, Password string }
	if err := json.Unmarshal(<-s.told, &ready); err != nil || ready.Status != "READY" || ready.Password == "" {
		t.Fatalf("%s, %v", ready.Status, err)
	}
	for _, secret := range []string{ready.Password, "C4NARY"} {
		if strings.Contains(to.text.String(), secret) {
			t.Error("a secret is exported")
		}
	}
}
