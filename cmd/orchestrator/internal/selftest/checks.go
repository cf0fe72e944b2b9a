package selftest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/orchestrator/internal/api"
	"orchestrator/cmd/orchestrator/internal/watcher"
	"orchestrator/provision"
)

// releases returns the newest record of each store's release, by store.
func (t *Trial) releases(ctx context.Context) (map[string]kube.Release, error) {
	found := map[string]kube.Release{}
	if t.Cluster == nil {
		return found, nil
	}
	for _, store := range t.Stores {
		release, err := t.Cluster.Release(ctx, store.Namespace, store.Name)
		if err != nil {
			return nil, err
		}
		found[store.StoreID] = release
	}
	return found, nil
}

// compare checks that a second request left everything as it was.
func (t *Trial) compare(report *Report, first, second Request, before, after map[string]kube.Release) {
	id := second.State.StoreID
	report.check(second.Callback.Status == provision.StatusReady && second.Callback.Generation > first.Callback.Generation,
		id+" is told READY again", "%s", second.Callback.Line())
	report.check(second.Callback.Password != "" && second.Callback.Password == first.Callback.Password,
		id+" has the same password", "%s", sameOrNot(second.Callback.Password == first.Callback.Password))
	if t.Cluster == nil {
		return
	}
	report.check(before[id].Revision > 0 && before[id] == after[id],
		id+" has the same Helm release", "%s, then %s", describe(before[id]), describe(after[id]))
}

// checkIDs checks that no verdict was told under two ids: a backend that remembers ids then hears each once.
func (t *Trial) checkIDs(report *Report) {
	verdicts, ids := map[string]bool{}, map[string]bool{}
	for _, c := range t.Callbacks() {
		if c.Status.Final() && t.owns(c.StoreID) {
			verdicts[fmt.Sprint(c.StoreID, c.Generation)], ids[c.WebhookID] = true, true
		}
	}
	report.check(len(ids) == len(verdicts), "each verdict has one callback id", "%d verdicts, %d ids", len(verdicts), len(ids))
}

func (t *Trial) owns(id string) bool {
	return slices.ContainsFunc(t.Stores, func(r provision.Request) bool { return r.StoreID == id })
}

func sameOrNot(same bool) string {
	if same {
		return "as before"
	}
	return "another one than before"
}

func describe(r kube.Release) string {
	if r.Revision == 0 {
		return "none"
	}
	return fmt.Sprintf("revision %d %s (%s)", r.Revision, r.Status, r.ResourceVersion)
}

// delete has the last store deleted and checks that it is gone.
func (t *Trial) delete(ctx context.Context, report *Report) error {
	store := t.Stores[len(t.Stores)-1]
	t.Heading("A store is deleted.")
	accepted, err := t.API.Delete(ctx, store.StoreID, false)
	if err != nil {
		return fmt.Errorf("the delete of %s was not accepted: %w", store.StoreID, err)
	}
	gone, err := t.await(ctx, []api.Accepted{accepted}, []*watcher.Follower{watcher.One(t.API, store.StoreID)})
	report.Requests = append(report.Requests, gone...)
	if err != nil {
		return err
	}
	report.check(gone[0].Callback.Status == provision.StatusDeleted, store.StoreID+" is told DELETED", "%s", gone[0].Callback.Line())
	if t.Cluster == nil {
		return nil
	}
	there, err := t.Cluster.HasNamespace(ctx, store.Namespace)
	report.check(err == nil && !there, "namespace "+store.Namespace+" is gone", "%s", goneOrNot(there, err))
	return err
}

func goneOrNot(there bool, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case there:
		return "it is still there"
	}
	return "the API server answers 404"
}

// CleanUp deletes what is left of the trial, for a cluster that others use too. It waits for as long as ctx lives, at
// most for a while.
func (t *Trial) CleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("the stores of the demo are still being deleted"))
	defer cancel()
	t.Heading("The stores of the demo are deleted.")
	var accepted []api.Accepted
	var followers []*watcher.Follower
	for _, store := range t.Stores {
		a, err := t.API.Delete(ctx, store.StoreID, false)
		if err != nil {
			return fmt.Errorf("the delete of %s was not accepted: %w", store.StoreID, err)
		}
		accepted, followers = append(accepted, a), append(followers, watcher.One(t.API, store.StoreID))
	}
	_, err := t.await(ctx, accepted, followers)
	return err
}
