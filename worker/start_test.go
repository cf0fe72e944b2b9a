package worker

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision/mock"
	"orchestrator/worker/redisconn"
)

// A worker that cannot begin ends and says so; it does not wait to be stopped.
func TestWorkerRunReturnsIfAServerDoesNotStart(t *testing.T) {
	client, err := redisconn.Connect(redistest.Mini(t), redisconn.FailFast, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cluster := Cluster{State: mock.ClusterState{}, Check: func(context.Context) error { return nil }}
	w, err := New(Config{Server: client, Redis: client, Clusters: []Cluster{cluster}, Limits: DefaultLimits(),
		Slots: Slots{Provision: 1, Delete: 1, Callback: 1}, Poll: 20 * time.Millisecond, Metrics: prometheus.NewRegistry(), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	w.servers[1].handler = nil // which asynq refuses
	ended := make(chan error, 1)
	go func() { ended <- w.Run(context.Background()) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended without an error")
		}
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
}
