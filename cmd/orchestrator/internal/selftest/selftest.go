// Package selftest checks a running service from the outside: a store of each engine becomes READY, an equal request changes
// nothing, and a deleted store is gone.
package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/watcher"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

// Cluster is what the script reads from the cluster.
type Cluster interface {
	Release(ctx context.Context, namespace, name string) (kube.Release, error)
	HasNamespace(ctx context.Context, name string) (bool, error)
}

// Script is one run of the self-test. All fields except Cluster are required.
type Script struct {
	API          *api.Client
	Callbacks    func() []backend.Callback
	Cluster      Cluster                // nil in mock mode: releases and namespaces are not checked
	Stores       []provision.Request    // one of each engine; the last one is deleted
	OnPart       func(text string)      // called when a new part begins
	OnCallback   func(backend.Callback) // called for each callback, after the events that led to it
	OnEvent      func(e watcher.Event)  // called for each step and outcome
	PollInterval time.Duration

	reported int // how many callbacks were passed to OnCallback
}

// Request is one request with its outcome.
type Request struct {
	State    provision.State
	Callback backend.Callback
}

// Check is one condition and whether the service met it.
type Check struct {
	What   string
	Detail string // what was observed
	Passed bool
}

// Report is the result of a run, in the order of time.
type Report struct {
	Requests []Request
	Checks   []Check
}

// Passed reports whether there were checks and every one passed.
func (r *Report) Passed() bool {
	for _, c := range r.Checks {
		if !c.Passed {
			return false
		}
	}
	return len(r.Checks) > 0
}

func (r *Report) check(held bool, what, format string, args ...any) {
	r.Checks = append(r.Checks, Check{What: what, Detail: fmt.Sprintf(format, args...), Passed: held})
}

// Run executes the script. With an error, which says why the script could not continue, it returns the report so far.
func (t *Script) Run(ctx context.Context) (*Report, error) {
	report := &Report{}
	t.OnPart("A store of each engine is created.")
	first, err := t.provision(ctx, report)
	if err != nil {
		return report, err
	}
	for _, r := range first {
		report.check(r.Callback.Status == provision.StatusReady && r.Callback.Password != "",
			r.State.StoreID+" is READY, with a password", "%s", r.Callback.Line())
	}
	if !report.Passed() {
		return report, nil // the next parts would fail too
	}
	before, err := t.releases(ctx)
	if err != nil {
		return report, err
	}
	t.OnPart("The same requests are sent again.")
	second, err := t.provision(ctx, report)
	if err != nil {
		return report, err
	}
	after, err := t.releases(ctx)
	if err != nil {
		return report, err
	}
	for i := range second {
		t.compare(report, first[i], second[i], before, after)
	}
	err = t.delete(ctx, report)
	t.checkIDs(report)
	return report, err
}

// provision submits all stores, waits for each outcome and its callback, and adds them to the report.
func (t *Script) provision(ctx context.Context, report *Report) ([]Request, error) {
	accepted := make([]api.Accepted, len(t.Stores))
	watchers := make([]*watcher.Watcher, len(t.Stores))
	for i, store := range t.Stores {
		body, err := json.Marshal(store)
		if err != nil {
			return nil, err
		}
		if accepted[i], err = t.API.Submit(ctx, 0, body); err != nil {
			return nil, fmt.Errorf("store %s was not accepted: %w", store.StoreID, err)
		}
		watchers[i] = watcher.One(t.API, store.StoreID)
	}
	requests, err := t.await(ctx, accepted, watchers)
	report.Requests = append(report.Requests, requests...)
	return requests, err
}

// await polls all accepted requests until each has an outcome and the backend has its callback.
func (t *Script) await(ctx context.Context, accepted []api.Accepted, watchers []*watcher.Watcher) ([]Request, error) {
	requests := make([]Request, len(accepted))
	for missing := len(accepted); missing > 0; {
		missing = 0
		calls := t.Callbacks() // read before the stores, whose states are then at least as new
		for i, a := range accepted {
			states, events, err := watchers[i].Poll(ctx)
			if ctx.Err() != nil {
				return requests, t.unfinished(accepted, requests, context.Cause(ctx))
			}
			if err != nil && !api.IsTemporary(err) {
				return requests, err
			}
			for _, e := range events {
				t.OnEvent(e)
			}
			if len(states) > 0 {
				requests[i].State = states[0]
			}
			call, found := find(calls, a)
			if requests[i].Callback = call; !found || !requests[i].State.Status.Final() {
				missing++
			}
		}
		t.reportCallbacks(calls)
		if missing > 0 {
			if err := t.sleep(ctx); err != nil {
				return requests, t.unfinished(accepted, requests, err)
			}
		}
	}
	return requests, nil
}

// reportCallbacks passes new callbacks to OnCallback.
func (t *Script) reportCallbacks(calls []backend.Callback) {
	for ; t.reported < len(calls); t.reported++ {
		t.OnCallback(calls[t.reported])
	}
}

func (t *Script) sleep(ctx context.Context) error {
	select {
	case <-time.After(t.PollInterval):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *Script) unfinished(accepted []api.Accepted, requests []Request, cause error) error {
	errs := []error{cause}
	for i, r := range requests {
		if _, found := find(t.Callbacks(), accepted[i]); !found {
			errs = append(errs, fmt.Errorf("  the backend received no callback about %s, whose status is %s", accepted[i].StoreID, r.State.Status))
		}
	}
	return errors.Join(errs...)
}

// find returns the callback with the outcome of a request.
func find(calls []backend.Callback, a api.Accepted) (backend.Callback, bool) {
	for _, c := range calls {
		if c.StoreID == a.StoreID && c.Generation == a.Generation && c.Status.Final() {
			return c, true
		}
	}
	return backend.Callback{}, false
}
