package provision

import "context"

// delete makes the store be gone: release → volumes → namespace, for every place where the cluster has it. Where its data
// is retained, it ends when nothing uses the volumes any more.
func (r *Runner) delete(ctx context.Context, s Store, j journal) error {
	limited, cancel := context.WithTimeoutCause(ctx, r.DeleteTimeout,
		Errorf(CodeTimeout, "the store was not gone after %s", r.DeleteTimeout))
	defer cancel()
	places, err := r.Namespaces.Claim(limited, s)
	if err == nil && len(places) == 0 {
		return j.step(ctx, OpDelete, s, StepNamespace, func(context.Context) error { return nil })
	}
	for _, place := range places {
		if err == nil {
			err = r.deletePlace(limited, place, j)
		}
	}
	return endedBy(limited, err)
}

func (r *Runner) deletePlace(ctx context.Context, s Store, j journal) (err error) {
	step := func(name string, run func(context.Context, Store) error) {
		if err == nil {
			err = j.step(ctx, OpDelete, s, name, func(ctx context.Context) error { return run(ctx, s) })
		}
	}
	step(StepRelease, r.Releases.Remove)
	if s.RetainData {
		step(StepVolumes, r.Volumes.Detach)
		return err
	}
	step(StepVolumes, r.Volumes.Remove)
	step(StepNamespace, r.Namespaces.Remove)
	return err
}
