package main

import (
	"context"
	"fmt"
	"time"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
)

// never is how long pods take that do not become ready while the bench runs.
const never = "24h"

// wait measures a worker of whose stores all are installed and wait for their pods.
func (b *bench) wait(ctx context.Context) error {
	b.note("%d stores whose pods do not become ready, in as many slots of one worker\n", b.waiting)
	env := []string{fmt.Sprint("ORCH_PROVISION_CONCURRENCY=", b.waiting), "ORCH_POLL_INTERVAL=5m"}
	return b.onCluster(ctx, never, func(s *service, _ *rig.Cluster) error {
		idle, begun := s.resident(), time.Now()
		if err := s.post(ctx, "s-", b.waiting); err != nil {
			return err
		}
		if err := s.awaitInstalled(ctx, b.waiting); err != nil {
			return err
		}
		b.note("all are installed after %.0f s", time.Since(begun).Seconds())
		before, from := s.used()["worker"].cpu, time.Now()
		rig.Sleep(ctx, 2*idleTime)
		cpu := (s.used()["worker"].cpu - before) / time.Since(from).Seconds()
		most := s.used()["worker"].peak
		b.note("the worker: %.0f MB before, %.0f MB now, %.0f MB at most; %.1f %% of a processor while they wait", idle, s.resident(), most, 100*cpu)
		bound := figures.Bound{Name: fmt.Sprintf("peak MB of the worker, %d stores waiting for pods", b.waiting), Value: most, Limit: wantedWaiting}
		if b.waiting >= waitingBounded {
			b.bounds = append(b.bounds, bound)
		}
		return nil
	}, env...)
}

// awaitInstalled waits until the releases of n stores were applied.
func (s *service) awaitInstalled(ctx context.Context, n int) error {
	step := fmt.Sprintf("step=%q", provision.StepRelease)
	return s.until(ctx, func() (string, bool, error) {
		rig.Sleep(ctx, time.Second) // its metrics cost the worker something too
		metrics, err := s.metrics(ctx)
		done := figures.Sum(metrics, "orchestrator_step_duration_seconds_count", step, `state="done"`, `op="provision"`)
		return fmt.Sprintf("%.0f of %d stores are installed", done, n), done >= float64(n), err
	})
}
