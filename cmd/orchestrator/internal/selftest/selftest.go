// Package selftest proves on a running service that it does what it is for: a store of each engine becomes READY, the same
// request again changes nothing, and a deleted store is gone.
package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/orchestrator/internal/api"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/watcher"
	"orchestrator/provision"
)

// Cluster is what is asked of the cluster. It is nil in mock mode.
type Cluster interface {
	Release(ctx context.Context, namespace, name string) (kube.Release, error)
	HasNamespace(ctx context.Context, name string) (bool, error)
}

// Trial is one run. Its fields are needed, except Cluster.
type Trial struct {
	API       *api.Client
	Callbacks func() []backend.Callback
	Cluster   Cluster
	Stores    []provision.Request    // one of each engine; the last one is deleted
	Heading   func(text string)      // a new part begins
	Told      func(backend.Callback) // a callback, after what led to it
	Event     func(e watcher.Event)  // a step or a verdict
	Every     time.Duration          // how often it is looked

	shown int // callbacks
}

// Request is one request with what became of it.
type Request struct {
	State    provision.State
	Callback backend.Callback
}

// Check is one thing that had to hold.
type Check struct {
	What   string
	Detail string // what was seen
	Held   bool
}

// Report is what a trial found out, in the order in which it happened.
type Report struct {
	Requests []Request
	Checks   []Check
}

// Held reports whether everything did.
func (r *Report) Held() bool {
	for _, c := range r.Checks {
		if !c.Held {
			return false
		}
	}
	return len(r.Checks) > 0
}

func (r *Report) check(held bool, what, format string, args ...any) {
	r.Checks = append(r.Checks, Check{What: what, Detail: fmt.Sprintf(format, args...), Held: held})
}

// Run goes through the trial. The report is of use even with an error, which says why the trial could not go on.
func (t *Trial) Run(ctx context.Context) (*Report, error) {
	report := &Report{}
	t.Heading("A store of each engine is asked for.")
	first, err := t.provision(ctx, report)
	if err != nil {
		return report, err
	}
	for _, r := range first {
		report.check(r.Callback.Status == provision.StatusReady && r.Callback.Password != "",
			r.State.StoreID+" is READY, with a password", "%s", r.Callback.Line())
	}
	if !report.Held() {
		return report, nil // what follows would only fail too
	}
	before, err := t.releases(ctx)
	if err != nil {
		return report, err
	}
	t.Heading("The same requests again change nothing.")
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

// provision submits all stores, waits until each has been told, and reports them.
func (t *Trial) provision(ctx context.Context, report *Report) ([]Request, error) {
	accepted := make([]api.Accepted, len(t.Stores))
	followers := make([]*watcher.Follower, len(t.Stores))
	for i, store := range t.Stores {
		body, err := json.Marshal(store)
		if err != nil {
			return nil, err
		}
		if accepted[i], err = t.API.Submit(ctx, body); err != nil {
			return nil, fmt.Errorf("store %s was not accepted: %w", store.StoreID, err)
		}
		followers[i] = watcher.One(t.API, store.StoreID)
	}
	requests, err := t.await(ctx, accepted, followers)
	report.Requests = append(report.Requests, requests...)
	return requests, err
}

// await follows accepted requests, side by side, until the backend has been told of each.
func (t *Trial) await(ctx context.Context, accepted []api.Accepted, followers []*watcher.Follower) ([]Request, error) {
	requests := make([]Request, len(accepted))
	for missing := len(accepted); missing > 0; {
		missing = 0
		calls := t.Callbacks() // before the stores are looked at, which are then at least as far
		for i, a := range accepted {
			states, events, err := followers[i].Look(ctx)
			if ctx.Err() != nil {
				return requests, t.unfinished(accepted, requests, context.Cause(ctx))
			}
			if err != nil && !api.Passing(err) {
				return requests, err
			}
			for _, e := range events {
				t.Event(e)
			}
			if len(states) > 0 {
				requests[i].State = states[0]
			}
			call, told := find(calls, a)
			if requests[i].Callback = call; !told || !requests[i].State.Status.Final() {
				missing++
			}
		}
		t.show(calls)
		if missing > 0 {
			if err := t.pause(ctx); err != nil {
				return requests, t.unfinished(accepted, requests, err)
			}
		}
	}
	return requests, nil
}

// show tells of callbacks that are new.
func (t *Trial) show(calls []backend.Callback) {
	for ; t.shown < len(calls); t.shown++ {
		t.Told(calls[t.shown])
	}
}

func (t *Trial) pause(ctx context.Context) error {
	select {
	case <-time.After(t.Every):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *Trial) unfinished(accepted []api.Accepted, requests []Request, cause error) error {
	errs := []error{cause}
	for i, r := range requests {
		if _, told := find(t.Callbacks(), accepted[i]); !told {
			errs = append(errs, fmt.Errorf("  the backend was not told about %s, which is %s", accepted[i].StoreID, r.State.Status))
		}
	}
	return errors.Join(errs...)
}

// find returns the callback with the verdict of a request.
func find(calls []backend.Callback, a api.Accepted) (backend.Callback, bool) {
	for _, c := range calls {
		if c.StoreID == a.StoreID && c.Generation == a.Generation && c.Status.Final() {
			return c, true
		}
	}
	return backend.Callback{}, false
}
