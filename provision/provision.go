package provision

import (
	"context"
	"time"
)

// AfterHold is what a store that has waited on a hold gets to become ready besides: the kubelet asks a registry that has failed only every five
// minutes.
const AfterHold = 6 * time.Minute

// provision creates or updates the store: namespace → credentials → release → ready → verify, with a rotation before verify
// where one was asked for, and a restore before release. One that is suspended: namespace → credentials → release → stopped.
func (r *Runner) provision(ctx context.Context, s Store, j journal) error {
	engine, err := r.engineOf(s)
	if err != nil {
		return err
	}
	release, err := engine.Release(s)
	if err != nil {
		return err
	}
	begins := WithWrites(ctx, Writes{WriteBegin, s.Generation})
	if err := r.prepare(begins, s, release, j); err != nil {
		return err
	}
	restored, err := r.restore(begins, s, engine, release, j)
	if err != nil {
		return err
	}
	applied, err := r.release(begins, s, release, j)
	if err != nil {
		return err
	}
	deadline := r.readyBy(s, latest(applied.At, restored))
	if s.Suspended {
		return j.step(ctx, OpProvision, s, StepStopped, func(ctx context.Context) error { return r.stopped(ctx, s, deadline) })
	}
	err = j.step(ctx, OpProvision, s, StepReady, func(ctx context.Context) error { return r.Readiness.Wait(ctx, s, deadline) })
	if err == nil {
		err = r.rotate(ctx, s, release, j, deadline)
	}
	if err != nil || r.Shops == nil {
		return err
	}
	return j.stepWithResult(ctx, OpProvision, s, StepVerify, func(ctx context.Context, done *Step) (err error) {
		done.Outputs, err = r.verify(ctx, s, engine, deadline)
		return err
	})
}

// readyBy is until when a store has to be ready that was applied then.
func (r *Runner) readyBy(s Store, applied time.Time) time.Time {
	deadline := applied.Add(r.ReadinessTimeout)
	if s.OnHold > 0 {
		deadline = deadline.Add(s.OnHold + AfterHold)
	}
	return deadline
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// prepare makes all exist that the store's release needs. Each of the steps that make objects has a turn: stores accepted earlier come first, and what stores do
// after it comes before. What a step reads is part of its turn, or all stores of a burst would read at once, and none get on.
func (r *Runner) prepare(ctx context.Context, s Store, release Release, j journal) error {
	err := j.step(ctx, OpProvision, s, StepNamespace, func(ctx context.Context) error { return r.ensureNamespace(ctx, s, j) })
	if err != nil {
		return err
	}
	return j.step(ctx, OpProvision, s, StepCredentials, func(ctx context.Context) error {
		return r.turn(ctx, func(ctx context.Context) error { return r.Credentials.Ensure(ctx, s, release.Credentials) })
	})
}

// release applies the store's release, in a turn.
func (r *Runner) release(ctx context.Context, s Store, release Release, j journal) (applied Applied, err error) {
	err = j.stepWithResult(ctx, OpProvision, s, StepRelease, func(ctx context.Context, done *Step) error {
		err := r.turn(ctx, func(ctx context.Context) (err error) {
			applied, err = r.Releases.Apply(ctx, s, release)
			return err
		})
		done.Applied = applied
		return err
	})
	return applied, err
}

// turn has do run in a turn.
func (r *Runner) turn(ctx context.Context, do func(context.Context) error) error {
	if r.Turns == nil {
		return do(ctx)
	}
	return r.Turns.Turn(ctx, do)
}

// ensureNamespace finishes an incomplete delete before it creates the namespace: a store that was to be deleted starts from
// nothing.
func (r *Runner) ensureNamespace(ctx context.Context, s Store, j journal) error {
	unfinished := false
	ensure := func(ctx context.Context) (err error) {
		unfinished, err = r.Namespaces.Ensure(ctx, s)
		return err
	}
	if err := r.turn(ctx, ensure); err != nil || !unfinished {
		return err
	}
	if err := r.delete(ctx, OpProvision, s, j); err != nil { // without a turn: it waits
		return err
	}
	err := r.turn(ctx, ensure)
	if err == nil && unfinished {
		return Errorf(CodeUnavailable, "namespace %s is still being deleted", s.Namespace)
	}
	return err
}

// stopped waits until no pod of the shop is left that could still sell or write.
func (r *Runner) stopped(ctx context.Context, s Store, deadline time.Time) error {
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, Errorf(CodeTimeout, "the pods of %s did not end in time", s.Name))
	defer cancel()
	return causeOf(ctx, r.Volumes.Detach(ctx, s))
}

// rotate gives the running shop new credentials where those that it has are older than the newest request for that.
func (r *Runner) rotate(ctx context.Context, s Store, release Release, j journal, deadline time.Time) error {
	if s.Rotation == 0 || r.Rotator == nil {
		return nil
	}
	due, err := r.Rotator.Due(ctx, s)
	if err != nil || !due {
		return err
	}
	return j.step(ctx, OpProvision, s, StepRotate, func(ctx context.Context) error { return r.Rotator.Rotate(ctx, s, release, deadline) })
}
