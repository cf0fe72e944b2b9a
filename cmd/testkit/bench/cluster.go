package main

import (
	"context"
	"os"
	"path/filepath"

	"orchestrator/cmd/testkit/chaos/rig"
)

// freshCluster starts a development cluster that has no stores: a worker with an empty Redis would take up those that it finds. Its end is for the
// caller to call, after an error too.
func (b *bench) freshCluster(ctx context.Context, delay string) (c *rig.Cluster, end func(), err error) {
	dir, err := os.MkdirTemp("", "bench-cluster")
	if err != nil {
		return nil, func() {}, err
	}
	end = func() { _ = os.RemoveAll(dir) } // what is left is in the temporary directory
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, end, err
	}
	c, err = rig.StartCluster(ctx, filepath.Join(b.bin, "devcluster"), dir, "", delay)
	if c == nil {
		return nil, end, err
	}
	return c, func() {
		c.RemoveVolumes()
		c.Stop(rig.StopTime)
		_ = os.RemoveAll(dir)
	}, err
}

// onCluster does something with an installation of one worker on a cluster of its own, whose pods take a while to become ready.
func (b *bench) onCluster(ctx context.Context, delay string, do func(*service, *rig.Cluster) error, env ...string) error {
	cluster, end, err := b.freshCluster(ctx, delay)
	defer end()
	if err != nil {
		return err
	}
	s, err := b.start(ctx, append(env, "KUBECONFIG="+cluster.Kubeconfig)...)
	defer s.stop()
	if err != nil {
		return err
	}
	if err := s.startWorkers(1); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	return do(s, cluster)
}

// simulated does something with an installation of some workers whose every step is simulated.
func (b *bench) simulated(ctx context.Context, workers int, do func(*service) error) error {
	s, err := b.start(ctx, "ORCH_MOCK=1")
	defer s.stop()
	if err != nil {
		return err
	}
	if err := s.startWorkers(workers); err != nil {
		return err
	}
	if err := s.submit(ctx, "warm-", workers*10); err != nil { // connections, scripts, code
		return err
	}
	return do(s)
}
