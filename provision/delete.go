package provision

import "context"

// delete removes the store: release → volumes → namespace, in every namespace where the cluster has it. Where its data is
// retained, it ends when nothing uses the volumes any more. op is OpProvision for a provision that finishes an earlier delete.
func (r *Runner) delete(ctx context.Context, op Op, s Store, j journal) error {
	ctx = WithWrites(ctx, Writes{WriteDelete, s.Generation})
	limited, cancel := context.WithTimeoutCause(ctx, r.DeleteTimeout,
		Errorf(CodeTimeout, "the store was not deleted within %s", r.DeleteTimeout))
	defer cancel()
	namespaces, err := r.Namespaces.MarkDeleting(limited, op, s)
	if err == nil && len(namespaces) == 0 {
		return j.step(ctx, OpDelete, s, StepNamespace, func(context.Context) error { return nil })
	}
	for _, found := range namespaces {
		if err == nil {
			err = r.deleteNamespace(limited, found, j)
		}
	}
	return causeOf(limited, err)
}

// deleteNamespace deletes what the store has in s.Namespace.
func (r *Runner) deleteNamespace(ctx context.Context, s Store, j journal) (err error) {
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
