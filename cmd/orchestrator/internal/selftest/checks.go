package selftest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/orchestrator/internal/watcher"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

// releases returns the newest record of each store's release, by store.
func (t *Script) releases(ctx context.Context) (map[string]kube.Release, error) {
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

// compare checks that a second, equal request changed nothing.
func (t *Script) compare(report *Report, first, second Request, before, after map[string]kube.Release) {
	id := second.State.StoreID
	report.check(second.Callback.Status == provision.StatusReady && second.Callback.Generation > first.Callback.Generation,
		id+" has a second READY callback", "%s", second.Callback.Line())
	report.check(second.Callback.Password != "" && second.Callback.Password == first.Callback.Password,
		id+" has the same password", "%s", sameOrNot(second.Callback.Password == first.Callback.Password))
	if t.Cluster == nil {
		return
	}
	report.check(before[id].Revision > 0 && before[id] == after[id],
		id+" has the same Helm release", "%s, then %s", describe(before[id]), describe(after[id]))
}

// checkIDs checks that no outcome was delivered under two webhook ids, so that a backend that stores ids can drop repeats.
func (t *Script) checkIDs(report *Report) {
	outcomes, ids := map[string]bool{}, map[string]bool{}
	for _, c := range t.Callbacks() {
		if c.Status.Final() && t.owns(c.StoreID) {
			outcomes[fmt.Sprint(c.StoreID, c.Generation)], ids[c.WebhookID] = true, true
		}
	}
	report.check(len(ids) == len(outcomes), "each outcome has one callback id", "%d outcomes, %d ids", len(outcomes), len(ids))
}

func (t *Script) owns(id string) bool {
	return slices.ContainsFunc(t.Stores, func(r provision.Request) bool { return r.StoreID == id })
}

func sameOrNot(same bool) string {
	if same {
		return "unchanged"
	}
	return "changed"
}

func describe(r kube.Release) string {
	if r.Revision == 0 {
		return "none"
	}
	return fmt.Sprintf("revision %d %s (%s)", r.Revision, r.Status, r.ResourceVersion)
}

// delete deletes the last store and checks that it is gone.
func (t *Script) delete(ctx context.Context, report *Report) error {
	store := t.Stores[len(t.Stores)-1]
	t.OnPart("A store is deleted.")
	accepted, err := t.API.Delete(ctx, store.StoreID, 0, api.Deletion{Erase: true})
	if err != nil {
		return fmt.Errorf("the delete of %s was not accepted: %w", store.StoreID, err)
	}
	gone, err := t.await(ctx, []api.Accepted{accepted}, []*watcher.Watcher{watcher.One(t.API, store.StoreID)})
	report.Requests = append(report.Requests, gone...)
	if err != nil {
		return err
	}
	report.check(gone[0].Callback.Status == provision.StatusDeleted, store.StoreID+" has a DELETED callback", "%s", gone[0].Callback.Line())
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
		return "it still exists"
	}
	return "the API server answers 404"
}

// CleanUp deletes all stores of the script, for a cluster that is used by others too. It waits until they are gone, ctx ends,
// or three minutes have passed.
func (t *Script) CleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("the stores of the demo are still being deleted"))
	defer cancel()
	t.OnPart("The stores of the demo are deleted.")
	var accepted []api.Accepted
	var watchers []*watcher.Watcher
	for _, store := range t.Stores {
		a, err := t.API.Delete(ctx, store.StoreID, 0, api.Deletion{Erase: true})
		if err != nil {
			return fmt.Errorf("the delete of %s was not accepted: %w", store.StoreID, err)
		}
		accepted, watchers = append(accepted, a), append(watchers, watcher.One(t.API, store.StoreID))
	}
	_, err := t.await(ctx, accepted, watchers)
	return err
}
