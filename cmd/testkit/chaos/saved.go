package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

// awaitSaved waits until the clusters know every outcome and its delivery, from where a loss of Redis is mended. What an API server that was away could not
// take is saved when a worker reconciles: that is when it starts, or within ten minutes.
func (o options) awaitSaved(ctx context.Context, one installation) ([]model.Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.settle, errSettle)
	defer cancel()
	for _, w := range one.rig.Workers() {
		w.Stop(time.Minute)
		one.rig.Retire(w)
		if _, err := one.rig.StartWorker(); err != nil {
			return nil, err
		}
	}
	for {
		unsaved, err := unsavedOf(context.WithoutCancel(ctx), one)
		if err == nil && len(unsaved) == 0 {
			return nil, nil
		}
		if !rig.Sleep(ctx, 500*time.Millisecond) {
			if context.Cause(ctx) != errSettle {
				return nil, context.Cause(ctx)
			}
			return unsaved, err
		}
	}
}

// unsavedOf are the outcomes that a cluster does not know.
func unsavedOf(ctx context.Context, one installation) ([]model.Finding, error) {
	var ids []string
	for _, c := range one.clients {
		ids = append(ids, c.id)
	}
	w, err := observe(ctx, one.rig, ids)
	if err != nil {
		return nil, err
	}
	var all []model.Finding
	for _, id := range slices.Sorted(slices.Values(ids)) {
		f := w.stores[id]
		if f.Namespace == nil || !f.Record.Decided || f.Namespace.Generation != f.Record.Generation {
			continue
		}
		if want := fmt.Sprintf("%d %s", f.Record.Generation, f.Record.Status); f.Namespace.Delivered != want {
			all = append(all, model.Finding{Kind: model.Lost, Store: id, Expected: "the cluster knows that the backend was told " + want, Found: "it knows " + f.Namespace.Delivered})
		}
	}
	return all, nil
}
