package main

import (
	"context"
	"fmt"
	"time"

	"orchestrator/provision"
)

// compareWorkers prints a line for each number of workers, every step simulated, so that what is measured is the service itself.
func (b *bench) compareWorkers(ctx context.Context) error {
	b.note("%d stores each, every step simulated\n", b.mock)
	b.note("| workers | accepted/s | READY/s | Redis bytes/store | Redis commands/store | MB idle | MB maximum |\n|---|---|---|---|---|---|---|")
	for _, n := range b.workers {
		err := b.simulated(ctx, n, func(s *service) error { return b.oneLine(ctx, s, n) })
		if err != nil {
			return fmt.Errorf("with %d workers: %w", n, err)
		}
	}
	return nil
}

func (b *bench) oneLine(ctx context.Context, s *service, workers int) error {
	bytes, commands, err := s.redisCost(ctx)
	if err != nil {
		return err
	}
	idle, n, begun := s.resident(), float64(b.mock), time.Now()
	if err := s.post(ctx, "s-", b.mock); err != nil {
		return err
	}
	accepted := n / time.Since(begun).Seconds()
	if err := s.await(ctx, provision.StatusReady, "s-", b.mock); err != nil {
		return err
	}
	ready := n / time.Since(begun).Seconds()
	bytesAfter, commandsAfter, err := s.redisCost(ctx)
	if err != nil {
		return err
	}
	b.note("| %d | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |", workers, accepted, ready, (bytesAfter-bytes)/n, (commandsAfter-commands)/n, idle, s.used()["worker"].peak)
	return nil
}
