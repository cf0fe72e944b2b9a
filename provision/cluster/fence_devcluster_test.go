//go:build devcluster

package cluster

import (
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/release"
	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// tripwire counts the writes that leave the process and closes the fence after some of them.
type tripwire struct {
	lease
	next   http.RoundTripper
	writes atomic.Int32
	after  int32
}

func (w *tripwire) RoundTrip(req *http.Request) (*http.Response, error) {
	if mutates(req.Method) && w.writes.Add(1) == w.after {
		w.lost.Store(true)
	}
	return w.next.RoundTrip(req)
}

// tripped is a cluster whose fence closes after some writes.
func tripped(t *testing.T, after int32) (*Cluster, *tripwire) {
	t.Helper()
	wire := &tripwire{after: after}
	wire.lost.Store(after == 0)
	server, err := clientcmd.BuildConfigFromFlags("", os.Getenv("ORCH_TEST_KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	server.Wrap(func(next http.RoundTripper) http.RoundTripper { wire.next = next; return wire })
	cfg := devConfig(t)
	api, err := kube.New(cfg.API, server)
	if err != nil {
		t.Fatal(err)
	}
	c, err := assemble(api, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, wire
}

func TestFenceLossAtAnyWriteIsRepairedByTheNextRun(t *testing.T) {
	t.Parallel()
	healthy := watching(t, devCluster(t))
	for after := range int32(9) {
		t.Run(strconv.Itoa(int(after))+" writes", func(t *testing.T) {
			t.Parallel()
			c, wire := tripped(t, after)
			s := devStore(t, healthy)
			wantCode(t, provisionSteps(provision.WithFence(t.Context(), wire), c, s), provision.CodeUnavailable)
			if wrote := wire.writes.Load(); wrote != after {
				t.Errorf("the lease was lost after %d writes, and there were %d", after, wrote)
			}
			if err := provisionSteps(t.Context(), healthy, s); err != nil {
				t.Fatalf("the run after a loss after %d writes: %v", after, err)
			}
			if err := healthy.Readiness.Wait(t.Context(), s, time.Now().Add(time.Minute)); err != nil {
				t.Errorf("the store after a loss after %d writes: %v", after, err)
			}
			if last := lastRecord(t, healthy, s); last.Info.Status != release.StatusDeployed {
				t.Errorf("the release after a loss after %d writes: %s", after, sketch(last))
			}
		})
	}
}
