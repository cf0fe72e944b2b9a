//go:build devcluster

package engine_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/metrics"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/cluster"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/engine"
)

// TestAFreshStoreHasNoDrift: whatever the API server fills in, and at what an audit costs.
func TestAFreshStoreHasNoDrift(t *testing.T) {
	client := devClient(t)
	requests := &requestCount{}
	metrics.Register(metrics.RegisterOpts{RequestResult: requests})
	for name := range engine.All() {
		t.Run(name, func(t *testing.T) {
			s := devStore(t, client, name)
			devApply(t, s, nil)
			c, err := cluster.Connect(cluster.Config{
				API:    kube.Config{Kubeconfig: devKubeconfig(t), Log: slog.New(slog.DiscardHandler)},
				Charts: helm.Charts{FS: charts.FS, Env: "development"},
			})
			if err != nil {
				t.Fatal(err)
			}
			r := &provision.Runner{Engines: engine.All(), ReadinessTimeout: time.Minute, DeleteTimeout: time.Minute}
			c.Fill(r)
			for round := range 2 {
				before := requests.Load()
				found, err := r.Audit(t.Context(), s, true)
				if err != nil || len(found.Drift)+len(found.Repaired) != 0 || found.Outdated || found.Edition == "" {
					t.Errorf("%+v, %v", found, err)
				}
				if round == 1 { // the first one reads what the cluster can do
					t.Logf("an audit makes %d requests", requests.Load()-before)
				}
			}
		})
	}
}

// requestCount counts the requests of all clients of this process.
type requestCount struct{ atomic.Int64 }

func (c *requestCount) Increment(context.Context, string, string, string) { c.Add(1) }
