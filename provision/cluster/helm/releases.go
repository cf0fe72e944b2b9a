package helm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

const (
	maxHistory = 3 // revisions kept, for a manual rollback
	// maxActions bounds the actions of one convergence. The longest sequence is: uninstall, mark failed, uninstall, install, and
	// the read that finds the desired state.
	maxActions = 6
	// labelDigest is the label of the release record that holds the digest of its chart and values.
	labelDigest = "orchestrator/digest"
	// labelEdition is the label of the release record that holds the digest of what the store shares with others.
	labelEdition = "orchestrator/edition"
	// labelRevision is the label of the release record that holds the revision it was written for. Helm copies labels to the revisions that its own
	// program makes, whatever it changes, so in those it is another one.
	labelRevision = "orchestrator/revision"
)

// Client converges releases. It reads the newest release record, does the one action that
// follows from its status, and reads again, until the record has the desired state:
//
//	last release in storage                    Apply                          Remove
//	none                                       install                        remove orphans, done
//	deployed, same digest, objects exist       restore what was changed       uninstall
//	                                           (with force: upgrade once)
//	deployed otherwise, failed, superseded     upgrade                        uninstall
//	pending-* (of a dead run), unknown         mark failed                    mark failed
//	uninstalling, uninstalled                  uninstall                      uninstall
//
// The last read matters: Helm reports success for an install even if it could not update the record. It is left out where this operation has written the
// record itself, and the comparison of the objects where it has made them all.
type Client struct {
	api       *kube.Client
	charts    *chartStore
	discovery *discoveryCache
	encoded   chartParts
	schemas   schemas
}

// New returns a Client that installs the charts over the connection.
func New(api *kube.Client, charts Charts) (*Client, error) {
	if err := charts.validate(); err != nil {
		return nil, err
	}
	return &Client{api: api, charts: &chartStore{Charts: charts}, discovery: &discoveryCache{api: api}}, nil
}

// Plan reads the chart and merges the values of a release, without a request. Its errors are of CodeInvalid.
func (c *Client) Plan(want provision.Release) (Plan, error) { return c.charts.plan(want) }

// Apply installs or upgrades the store's release until it is as planned. The caller has checked that the namespace belongs
// to the store. Codes: invalid for chart and values, conflict for an object that does not belong to the release, quota for
// quotas and admission rules, unavailable.
//
// A store that is deployed keeps its edition, unless its run forces an upgrade. Apply returns the plan that the release is of. fresh says that no
// release was applied in the namespace before, so that a first install need not ask for each object whether it exists.
func (c *Client) Apply(ctx context.Context, s provision.Store, want Plan, fresh bool) (applied Plan, err error) {
	err = c.run(ctx, s, "apply", func(op *operation) (err error) {
		op.fresh = fresh
		applied, err = op.apply(ctx, s, func(last *release.Release) (Plan, error) { return op.pin(s, want, last) }, c)
		return err
	})
	return applied, err
}

// Revert gives a store an edition back that one of its records holds.
func (c *Client) Revert(ctx context.Context, s provision.Store, want Plan, edition string) error {
	return c.run(ctx, s, "revert", func(op *operation) error {
		_, err := op.apply(ctx, s, func(*release.Release) (Plan, error) { return op.earlier(s, want, edition) }, c)
		return err
	})
}

// Remove uninstalls the store's release. No release is success, but then orphaned workloads are removed.
func (c *Client) Remove(ctx context.Context, s provision.Store) error {
	return c.run(ctx, s, "remove", func(op *operation) error {
		last, err := op.last(s.ReleaseName())
		if err != nil {
			return err
		}
		if last == nil {
			return c.removeOrphans(ctx, s)
		}
		return op.remove(ctx, s)
	})
}

// run runs one Helm operation in a write slot; name is for the observer.
func (c *Client) run(ctx context.Context, s provision.Store, name string, do func(*operation) error) error {
	return c.api.Write(ctx, func() (err error) {
		start := time.Now()
		defer func() { c.api.Observer().Helm(name, err, time.Since(start)) }()
		op, err := c.operation(ctx, s.Namespace)
		if err != nil {
			return err
		}
		defer op.cancel()
		return do(op)
	})
}

// converge reads the last record and acts on it until act is done. It checks ctx only between two actions.
func (o *operation) converge(ctx context.Context, s provision.Store, act func(last *release.Release) (done bool, err error)) error {
	for range maxActions {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		last, err := o.last(s.ReleaseName())
		if err != nil {
			return err
		}
		if done, err := act(last); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("release %s did not converge after %d actions", s.ReleaseName(), maxActions)
}

// last returns the newest release record; nil if there is none.
func (o *operation) last(name string) (*release.Release, error) {
	if o.records.deployed != nil {
		return o.records.deployed, nil
	}
	last, err := o.cfg.Releases.Last(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, kube.WrapError(o.apiErrors.cause(err), "read the records of release %s", name)
	}
	return last, nil
}

// deployed returns the newest record of a release that was deployed, given its last one; nil if there is none. A failed upgrade leaves the one
// before, which a run that died may have marked as superseded already. One that Helm's own program has made counts only if there is no other.
func (o *operation) deployed(name string, last *release.Release) (*release.Release, error) {
	if last == nil || last.Info.Status == release.StatusDeployed && !foreign(last) {
		return last, nil
	}
	history, err := o.cfg.Releases.History(name)
	if err != nil {
		return nil, kube.WrapError(o.apiErrors.cause(err), "read the records of release %s", name)
	}
	var newest *release.Release
	better := func(one *release.Release) bool {
		if newest == nil || foreign(one) != foreign(newest) {
			return newest == nil || foreign(newest)
		}
		return one.Version > newest.Version
	}
	for _, one := range history {
		good := one.Info.Status == release.StatusDeployed || one.Info.Status == release.StatusSuperseded
		if good && better(one) {
			newest = one
		}
	}
	return newest, nil
}

// apply converges on the plan that is chosen by the last record, and returns it.
func (o *operation) apply(ctx context.Context, s provision.Store, choose func(last *release.Release) (Plan, error), c *Client) (want Plan, err error) {
	began, acted, disco := time.Now(), false, c.discovery
	log := c.api.Log.With("store_id", s.StoreID, "generation", s.Generation)
	chosen := false
	err = o.converge(ctx, s, func(last *release.Release) (_ bool, err error) {
		if !chosen {
			if want, err = choose(last); err != nil {
				return false, err
			}
			chosen = true
		}
		if last != nil && isDeployed(last, want.digest) && (acted || !s.Forced(provision.ForceApply)) {
			missing, err := o.restore(last, log)
			if acted || !missing || err != nil {
				return err == nil, o.applyError(err, s, want)
			}
		}
		err = o.act(s, want, last)
		if disco.invalidateOn(err, began) {
			return false, o.refreshed(disco)
		}
		acted = true
		return false, o.applyError(err, s, want)
	})
	return want, err
}

// act does the one action that brings a release closer to the plan.
func (o *operation) act(s provision.Store, want Plan, last *release.Release) error {
	switch status := statusOf(last); {
	case status == "":
		return o.install(s, want)
	case last.Labels[labelUnchecked] != "":
		_, err := o.cfg.Releases.Delete(last.Name, last.Version)
		return err
	case status == release.StatusDeployed, status == release.StatusFailed, status == release.StatusSuperseded:
		return o.upgrade(s, want, last)
	case status == release.StatusUninstalling, status == release.StatusUninstalled:
		return o.uninstall(s)
	}
	return o.markFailed(last)
}

func (o *operation) remove(ctx context.Context, s provision.Store) error {
	return o.converge(ctx, s, func(last *release.Release) (bool, error) {
		switch status := statusOf(last); {
		case status == "":
			return true, nil
		case status.IsPending():
			return false, kube.WrapError(o.apiErrors.cause(o.markFailed(last)), "unlock release %s", s.ReleaseName())
		default:
			err := o.uninstall(s)
			if err != nil && o.dropUnknownKinds(last) {
				return false, kube.WrapError(o.apiErrors.cause(o.cfg.Releases.Update(last)), "update the record of release %s", s.ReleaseName())
			}
			return false, kube.WrapError(o.apiErrors.cause(err), "uninstall release %s", s.ReleaseName())
		}
	})
}

func statusOf(last *release.Release) release.Status {
	if last == nil {
		return ""
	}
	return last.Info.Status
}

func (p Plan) labels(revision int) map[string]string {
	return map[string]string{labelDigest: p.digest, labelEdition: p.edition, labelRevision: strconv.Itoa(revision)}
}

// foreign reports whether Helm's own program has made the revision, by an upgrade or a rollback: its labels are another one's. Records from before the
// label of the revision count as ours.
func foreign(last *release.Release) bool {
	revision := last.Labels[labelRevision]
	return revision != "" && revision != strconv.Itoa(last.Version)
}

func isDeployed(last *release.Release, digest string) bool {
	return last.Info.Status == release.StatusDeployed && last.Labels[labelDigest] == digest && !foreign(last)
}

func (o *operation) install(s provision.Store, want Plan) error {
	chart, err := want.load()
	if err != nil {
		return err
	}
	install := action.NewInstall(o.cfg)
	install.ReleaseName, install.Namespace = s.ReleaseName(), s.Namespace
	install.DisableHooks, install.DisableOpenAPIValidation = true, true
	install.Labels = want.labels(1)
	if o.objects.unchecked = o.fresh; o.fresh {
		install.Labels[labelUnchecked] = "true"
	}
	install.SkipSchemaValidation = o.schemas.accept(chart, want.values)
	o.records.encoder.use(chart, want.edition)
	_, err = install.RunWithContext(context.Background(), chart, copyValues(want.values))
	unchecked := o.fresh
	o.fresh, o.objects.unchecked = false, false
	if unchecked && apierrors.IsAlreadyExists(err) {
		return nil // what has the name of an object is looked at before the next install
	}
	return want.invalidOr(err, s, 1, o.cfg.Capabilities)
}

func (o *operation) upgrade(s provision.Store, want Plan, last *release.Release) error {
	if last.Labels[labelDigest] != want.digest && o.dropUnknownKinds(last) {
		if err := o.cfg.Releases.Update(last); err != nil {
			return err
		}
	}
	chart, err := want.load()
	if err != nil {
		return err
	}
	upgrade := action.NewUpgrade(o.cfg)
	upgrade.Namespace, upgrade.MaxHistory = s.Namespace, maxHistory
	upgrade.DisableHooks, upgrade.DisableOpenAPIValidation = true, true
	upgrade.ResetValues = true // else a release without values of its own inherits the last one's
	upgrade.Labels = want.labels(last.Version + 1)
	upgrade.SkipSchemaValidation = o.schemas.accept(chart, want.values)
	o.records.encoder.use(chart, want.edition)
	_, err = upgrade.RunWithContext(context.Background(), s.ReleaseName(), chart, copyValues(want.values))
	return want.invalidOr(err, s, last.Version+1, o.cfg.Capabilities)
}

func (o *operation) uninstall(s provision.Store) error {
	uninstall := action.NewUninstall(o.cfg)
	uninstall.DisableHooks = true
	_, err := uninstall.Run(s.ReleaseName())
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil
	}
	return err
}

// markFailed unlocks a release whose run died. This run holds the store's lease, so the other one cannot be alive.
func (o *operation) markFailed(last *release.Release) error {
	last.SetStatus(release.StatusFailed, "the run that worked on this release ended before it finished")
	return o.cfg.Releases.Update(last)
}

// refreshed gives the operation the current capabilities of the cluster, after a kind was unknown.
func (o *operation) refreshed(disco *discoveryCache) error {
	caps, err := disco.capabilities()
	if err == nil {
		o.cfg.Capabilities = caps
	}
	return err
}

// applyError gives an error of install or upgrade its code. Helm has no type for two of them.
func (o *operation) applyError(err error, s provision.Store, want Plan) error {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "cannot be imported into the current release"):
		return provision.Wrap(provision.CodeConflict, err,
			"an object of release %s already exists and does not belong to it: %s", s.ReleaseName(), foreignObject(err))
	case errors.Is(err, driver.ErrReleaseExists): // created since the read
		return provision.Wrap(provision.CodeUnavailable, err, "release %s is being changed by another process", s.ReleaseName())
	case meta.IsNoMatchError(err):
		return provision.Wrap(provision.CodeInvalid, err, "chart %s uses a kind of object that the cluster does not know: %v", want.chart, err)
	}
	return kube.WrapError(o.apiErrors.cause(err), "apply release %s", s.ReleaseName())
}

// foreignObject extracts the object's kind and name from Helm's message.
func foreignObject(err error) string {
	text, _, _ := strings.Cut(err.Error(), " exists and cannot be imported")
	if _, object, found := strings.Cut(text, ": "); found {
		return object
	}
	return fmt.Sprintf("%.200s", text)
}
