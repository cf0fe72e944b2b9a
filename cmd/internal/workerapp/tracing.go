package workerapp

import (
	"context"

	"orchestrator/provision"
	"orchestrator/worker"
	"orchestrator/worker/tracing"
)

// traced draws what runs and deliveries do on a cluster: each step, each use of Helm, and the reading of a password.
func traced(c worker.Cluster) worker.Cluster {
	if runner, ok := c.Runner.(*provision.Runner); ok {
		runner.Around, runner.Releases = tracing.Around, tracedReleases{runner.Releases}
	}
	c.Passwords = tracedPasswords{c.Passwords}
	return c
}

// tracedReleases has a span for each use of Helm.
type tracedReleases struct{ next provision.Releases }

func (r tracedReleases) Apply(ctx context.Context, s provision.Store, release provision.Release) (provision.Applied, error) {
	ctx, end := tracing.Call(ctx, "helm apply")
	applied, err := r.next.Apply(ctx, s, release)
	end(err)
	return applied, err
}

func (r tracedReleases) Remove(ctx context.Context, s provision.Store) error {
	ctx, end := tracing.Call(ctx, "helm uninstall")
	err := r.next.Remove(ctx, s)
	end(err)
	return err
}

// tracedPasswords has a span for each password that is read. It tells how long that took.
type tracedPasswords struct{ next worker.Passwords }

func (p tracedPasswords) Password(ctx context.Context, s provision.Store) (string, error) {
	ctx, end := tracing.Call(ctx, "read password")
	password, err := p.next.Password(ctx, s)
	end(err)
	return password, err
}
