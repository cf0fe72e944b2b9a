package provision

import (
	"context"
	"time"
)

// provision makes the store exist: namespace → credentials → release → ready → verify.
func (r *Runner) provision(ctx context.Context, s Store, j journal) error {
	engine, ok := r.Engines[s.Engine]
	if !ok {
		return Errorf(CodeInvalid, "engine %q is not known to this worker", s.Engine)
	}
	release, err := engine.Release(s)
	if err != nil {
		return err
	}
	var applied time.Time
	step := func(name string, run func(context.Context) error) {
		if err == nil {
			err = j.step(ctx, OpProvision, s, name, run)
		}
	}
	step(StepNamespace, func(ctx context.Context) error { return r.ensureNamespace(ctx, s, j) })
	step(StepCredentials, func(ctx context.Context) error { return r.Credentials.Ensure(ctx, s, release.Credentials) })
	step(StepRelease, func(ctx context.Context) (err error) { applied, err = r.Releases.Apply(ctx, s, release); return err })
	step(StepReady, func(ctx context.Context) error { return r.Readiness.Wait(ctx, s, applied.Add(r.ReadinessTimeout)) })
	if r.Shops != nil {
		if err == nil {
			err = j.tellingStep(ctx, OpProvision, s, StepVerify, func(ctx context.Context) (Facts, error) {
				return r.verify(ctx, s, engine, applied.Add(r.ReadinessTimeout))
			})
		}
	}
	return err
}

// ensureNamespace finishes a delete that left the namespace behind before it makes a new one: a store that was to be
// deleted starts from nothing.
func (r *Runner) ensureNamespace(ctx context.Context, s Store, j journal) error {
	unfinished, err := r.Namespaces.Ensure(ctx, s)
	if err != nil || !unfinished {
		return err
	}
	if err := r.delete(ctx, s, j); err != nil {
		return err
	}
	unfinished, err = r.Namespaces.Ensure(ctx, s)
	if err == nil && unfinished {
		return Errorf(CodeUnavailable, "namespace %s is still being deleted", s.Namespace)
	}
	return err
}

// verifyAtLeast is what one question may take whatever the deadline is. A run that comes after the budget, since Redis
// or its worker was away, still asks once before it says that a shop is not there.
const verifyAtLeast = 10 * time.Second

// verify asks the shop until it answers as a shop or the deadline has come, and has that remembered.
func (r *Runner) verify(ctx context.Context, s Store, engine Engine, deadline time.Time) (Facts, error) {
	every := r.VerifyEvery
	if every == 0 {
		every = 2 * time.Second
	}
	said := "it could not be asked"
	for {
		facts, err := r.verifyOnce(ctx, s, engine, deadline)
		if err == nil {
			return facts, r.Shops.Keep(ctx, s, facts)
		}
		if CodeOf(err).Final() || ctx.Err() != nil {
			return nil, err
		}
		said = lastWord(err, said)
		if time.Until(deadline) < every {
			return nil, Wrap(CodeTimeout, err, "the pods of %s are ready, but the shop did not pass its check in time: %s", s.Name, said)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

func (r *Runner) verifyOnce(ctx context.Context, s Store, engine Engine, deadline time.Time) (Facts, error) {
	if least := time.Now().Add(verifyAtLeast); deadline.Before(least) {
		deadline = least
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	shop, closeShop, err := r.Shops.Open(ctx, s)
	if err != nil {
		return nil, err
	}
	defer closeShop()
	facts, err := engine.Verify(ctx, s, shop)
	if err == nil && r.Outside != nil {
		err = engine.Visit(ctx, s, Shop{HTTP: r.Outside, Proven: shop.Proven})
	}
	return facts, err
}

// lastWord is the message of the last refusal that had one: a question that was cut off says nothing, and what went
// before it does.
func lastWord(err error, before string) string {
	if CodeOf(err) == CodeInternal {
		return before
	}
	return Public(err)
}
