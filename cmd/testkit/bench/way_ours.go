package main

import (
	"context"
	"time"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
)

// ourWay is the service with one worker, from POST at ingest to READY at a backend.
type ourWay struct {
	*bench
	service *service
}

func (w *ourWay) prepare(ctx context.Context, c *rig.Cluster) (err error) {
	w.service, err = w.start(ctx, "KUBECONFIG="+c.Kubeconfig)
	if err != nil {
		return err
	}
	if err := w.service.startWorkers(1); err != nil {
		return err
	}
	return w.service.submit(ctx, "warm-", 2)
}

func (w *ourWay) burst(ctx context.Context, n int) ([]float64, error) {
	begun := time.Now()
	if err := w.service.submit(ctx, "s-", n); err != nil {
		return nil, err
	}
	delivered, err := w.service.backend.delivered(provision.StatusReady, "s-")
	var took []float64
	for _, at := range delivered {
		took = append(took, at.Sub(begun).Seconds())
	}
	return took, err
}

func (w *ourWay) counters(ctx context.Context) (c counters, err error) {
	metrics, err := w.service.metrics(ctx)
	if err != nil {
		return c, err
	}
	c = counters{processes: w.service.used(), sent: figures.Group(metrics, "orchestrator_kube_request_duration_seconds_count", "verb", "resource")}
	c.redisBytes, c.redisCommands, err = w.service.redisCost(ctx)
	return c, err
}

func (w *ourWay) stop() {
	if w.service != nil {
		w.service.stop()
	}
}
