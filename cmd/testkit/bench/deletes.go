package main

import (
	"context"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
)

// deletes measures deletions that are asked for all at once, from DELETE to DELETED: of the service alone, and in a cluster.
func (b *bench) deletes(ctx context.Context) error {
	err := b.simulated(ctx, 1, func(s *service) error {
		rate, err := s.deleteAll(ctx, b.mock)
		b.note("%d stores, every step simulated: %.0f DELETED/s", b.mock, rate)
		return err
	})
	if err != nil {
		return err
	}
	return b.onCluster(ctx, b.delay, func(s *service, _ *rig.Cluster) error {
		rate, err := s.deleteAll(ctx, b.stores)
		b.note("%d stores on a cluster: %.2f DELETED/s", b.stores, rate)
		return err
	})
}

// deleteAll makes stores and returns how many of them are deleted in a second.
func (s *service) deleteAll(ctx context.Context, n int) (float64, error) {
	if err := s.submit(ctx, "s-", n); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := s.remove(ctx, "s-", n); err != nil {
		return 0, err
	}
	err := s.await(ctx, provision.StatusDeleted, "s-", n)
	return float64(n) / time.Since(begun).Seconds(), err
}
