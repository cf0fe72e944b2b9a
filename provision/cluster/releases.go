package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"orchestrator/provision"
)

const (
	maxHistory = 3 // revisions kept; nobody rolls a store back by hand further than that
	// maxSteps bounds the actions of one convergence. The longest way is: uninstall, mark failed, uninstall, install,
	// and the look that finds it right.
	maxSteps = 6
	// labelDigest is the key of the release record's label that says which chart and values it was made from.
	labelDigest = "orchestrator/digest"
)

// Releases implements [provision.Releases] with Helm. It looks at the newest release record, does the one thing that
// follows from its status, and looks again, until the record says what is wanted:
//
//	last release in storage                    Apply                          Remove
//	none                                       install                        remove what runs without one, done
//	deployed, same digest, objects there       nothing                        uninstall
//	deployed otherwise, failed, superseded     upgrade                        uninstall
//	pending-* (a dead run's), unknown          mark failed                    mark failed
//	uninstalling, uninstalled                  uninstall                      uninstall
//
// The last look matters: Helm calls an install a success even when it could not write that down.
type Releases struct{ c *Cluster }

// Releases is the cluster's [provision.Releases].
func (c *Cluster) Releases() *Releases { return &Releases{c} }

// Apply implements [provision.Releases]. Codes: invalid for chart and values, conflict for an object that is not the
// release's, quota for quotas and admission rules, unavailable.
func (r *Releases) Apply(ctx context.Context, s provision.Store, want provision.Release) (time.Time, error) {
	plan, err := r.c.charts.plan(want)
	if err != nil {
		return time.Time{}, err
	}
	if _, err := r.c.ownNamespace(ctx, s); err != nil {
		return time.Time{}, err
	}
	err = r.c.helm(ctx, s, func(op *operation) error { return op.apply(ctx, s, plan, r.c.disco) })
	if err != nil {
		return time.Time{}, err
	}
	return r.c.markApplied(ctx, s)
}

// Remove implements [provision.Releases]. Only "not found" counts as gone: a record that cannot be read is an error.
func (r *Releases) Remove(ctx context.Context, s provision.Store) error {
	ns, err := r.c.ownNamespace(ctx, s)
	if err != nil {
		return unlessGone(err)
	}
	if s.Name == "" || ns.DeletionTimestamp != nil {
		return nil // the namespace does not say, or is going; what a release left behind goes with it
	}
	return r.c.helm(ctx, s, func(op *operation) error {
		last, err := op.last(s.Name)
		if err != nil {
			return err
		}
		if last == nil {
			return r.c.removeStrays(ctx, s)
		}
		return op.remove(ctx, s)
	})
}

// helm runs one Helm operation in a slot.
func (c *Cluster) helm(ctx context.Context, s provision.Store, do func(*operation) error) error {
	return c.write(ctx, func() error {
		op, err := c.operation(ctx, s.Namespace)
		if err != nil {
			return err
		}
		defer op.end()
		return do(op)
	})
}

// steps repeats look and act until act has nothing more to do. ctx is looked at between two actions only.
func (o *operation) steps(ctx context.Context, s provision.Store, act func(last *release.Release) (done bool, err error)) error {
	for range maxSteps {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		last, err := o.last(s.Name)
		if err != nil {
			return err
		}
		if done, err := act(last); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("release %s did not come to rest after %d actions", s.Name, maxSteps)
}

// last is the newest release record; nil when there is none.
func (o *operation) last(name string) (*release.Release, error) {
	last, err := o.cfg.Releases.Last(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(o.seen.behind(err), "read the records of release %s", name)
	}
	return last, nil
}

func (o *operation) apply(ctx context.Context, s provision.Store, want plan, disco *discovered) error {
	began, acted := time.Now(), false
	return o.steps(ctx, s, func(last *release.Release) (bool, error) {
		var err error
		switch statusOf(last) {
		case "":
			err = o.install(s, want)
		case release.StatusDeployed, release.StatusFailed, release.StatusSuperseded:
			if isDeployed(last, want.digest) && (acted || o.complete(last)) {
				return true, nil
			}
			err = o.upgrade(s, want, last)
		case release.StatusUninstalling, release.StatusUninstalled:
			err = o.uninstall(s)
		default:
			err = o.markFailed(last)
		}
		if disco.forget(err, began) {
			return false, o.refreshed(disco)
		}
		acted = true
		return false, o.applyFailure(err, s, want)
	})
}

func (o *operation) remove(ctx context.Context, s provision.Store) error {
	return o.steps(ctx, s, func(last *release.Release) (bool, error) {
		switch status := statusOf(last); {
		case status == "":
			return true, nil
		case status.IsPending():
			return false, failure(o.seen.behind(o.markFailed(last)), "unlock release %s", s.Name)
		default:
			return false, failure(o.seen.behind(o.uninstall(s)), "uninstall release %s", s.Name)
		}
	})
}

func statusOf(last *release.Release) release.Status {
	if last == nil {
		return ""
	}
	return last.Info.Status
}

func isDeployed(last *release.Release, digest string) bool {
	return last.Info.Status == release.StatusDeployed && last.Labels[labelDigest] == digest
}

func (o *operation) install(s provision.Store, want plan) error {
	if _, err := want.render(s, 1, o.cfg.Capabilities); err != nil {
		return err
	}
	chart, err := want.load()
	if err != nil {
		return err
	}
	install := action.NewInstall(o.cfg)
	install.ReleaseName, install.Namespace = s.Name, s.Namespace
	install.DisableHooks, install.DisableOpenAPIValidation = true, true
	install.Labels = map[string]string{labelDigest: want.digest}
	_, err = install.RunWithContext(context.Background(), chart, copyValues(want.values))
	return err
}

func (o *operation) upgrade(s provision.Store, want plan, last *release.Release) error {
	if _, err := want.render(s, last.Version+1, o.cfg.Capabilities); err != nil {
		return err
	}
	chart, err := want.load()
	if err != nil {
		return err
	}
	upgrade := action.NewUpgrade(o.cfg)
	upgrade.Namespace, upgrade.MaxHistory = s.Namespace, maxHistory
	upgrade.DisableHooks, upgrade.DisableOpenAPIValidation = true, true
	upgrade.ResetValues = true // else a release without values of its own inherits the last one's
	upgrade.Labels = map[string]string{labelDigest: want.digest}
	_, err = upgrade.RunWithContext(context.Background(), s.Name, chart, copyValues(want.values))
	return err
}

func (o *operation) uninstall(s provision.Store) error {
	uninstall := action.NewUninstall(o.cfg)
	uninstall.DisableHooks = true
	_, err := uninstall.Run(s.Name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil
	}
	return err
}

// markFailed takes the lock off a release whose run died. The store's gate says that it is dead.
func (o *operation) markFailed(last *release.Release) error {
	last.SetStatus(release.StatusFailed, "the run that was at work ended before it was done")
	return o.cfg.Releases.Update(last)
}

// complete reports whether every object of the release that does not end by itself exists. What somebody deleted by
// hand comes back with an upgrade. An answer that is not a clear "not found" counts as existing: this look is a
// courtesy, not a guard.
func (o *operation) complete(last *release.Release) bool {
	objects, err := o.cfg.KubeClient.Build(strings.NewReader(last.Manifest), false)
	if err != nil {
		return true
	}
	for _, object := range objects {
		kind := object.Mapping.GroupVersionKind.Kind
		if kind != "Job" && kind != "Pod" && apierrors.IsNotFound(object.Get()) {
			return false
		}
	}
	return true
}

// refreshed gives the operation what the cluster can do now, since a kind was not known.
func (o *operation) refreshed(disco *discovered) error {
	caps, err := disco.capabilities()
	if err == nil {
		o.cfg.Capabilities = caps
	}
	return err
}

// applyFailure gives an error of install or upgrade its code. Two of them Helm has no type for.
func (o *operation) applyFailure(err error, s provision.Store, want plan) error {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "cannot be imported into the current release"):
		return provision.Wrap(provision.CodeConflict, err,
			"an object of release %s exists already and does not belong to it: %s", s.Name, foreignObject(err))
	case errors.Is(err, driver.ErrReleaseExists): // made since the look
		return provision.Wrap(provision.CodeUnavailable, err, "release %s is being changed by somebody else", s.Name)
	case meta.IsNoMatchError(err):
		return provision.Wrap(provision.CodeInvalid, err, "chart %s uses a kind of object that the cluster does not know: %v", want.chart, err)
	}
	return failure(o.seen.behind(err), "apply release %s", s.Name)
}

// foreignObject is the object's kind and name from Helm's sentence about it.
func foreignObject(err error) string {
	text, _, _ := strings.Cut(err.Error(), " exists and cannot be imported")
	if _, object, found := strings.Cut(text, ": "); found {
		return object
	}
	return fmt.Sprintf("%.200s", text)
}
