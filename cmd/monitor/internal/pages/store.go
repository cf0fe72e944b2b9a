package pages

import (
	"context"
	"net/http"
	"slices"

	"orchestrator/provision"
)

// storeRead is one store as it was read.
type storeRead struct {
	State provision.State
	Found bool
	Near  []provision.State // where it was not found: those whose id, name or host begins so
}

// storePage is what the page of one store shows.
type storePage struct {
	provision.State
	Why         provision.Explanation
	Generations []generation
	Callbacks   []callback
	Offered     []action
	Known       []provision.Backup // the newest first
	Task        string             // where its task is shown
}

// generation is one of a store's generations with what is kept of its steps.
type generation struct {
	provision.Generation
	Steps  []provision.Step
	Newest bool // its steps are shown at once, and its error stands above
}

// callback is one callback with its deliveries, the latest first.
type callback struct {
	ID         string
	Status     provision.Status
	Sequence   int64
	Deliveries []provision.Delivery
	Delivered  bool
	Open       bool
}

func (p *Pages) store(w http.ResponseWriter, r *http.Request) {
	s, ok := p.readStore(w, r)
	if !ok {
		return
	}
	p.render.write(w, r, http.StatusOK, "store", page{Title: s.StoreID, Nav: "/stores", Live: s.StoreID, Done: done(r), Body: s})
}

// readStore reads the store of the path. Where it answers false, the page was written.
func (p *Pages) readStore(w http.ResponseWriter, r *http.Request) (storePage, bool) {
	ctx, cancel := reading(r)
	defer cancel()
	id := r.PathValue("id")
	read, err := p.stores.get(ctx, id, func(ctx context.Context) (storeRead, error) { return p.findStore(ctx, id) })
	switch {
	case err != nil:
		p.unread(w, r, err)
		return storePage{}, false
	case !read.Found:
		p.render.write(w, r, http.StatusNotFound, "unknown", page{Title: "No store " + id, Nav: "/stores", Body: read})
		return storePage{}, false
	}
	s := read.State
	why := provision.Explain(s, p.now())
	return storePage{State: s, Why: why, Generations: generationsOf(s), Callbacks: callbacksOf(s), Offered: offered(why.Actions), Known: s.KnownBackups(), Task: p.TaskPath(s)}, true
}

func (p *Pages) findStore(ctx context.Context, id string) (read storeRead, err error) {
	if provision.CheckStoreID(id) != "" {
		return read, nil
	}
	read.State, read.Found, err = p.Stores.Store(ctx, id)
	if err != nil || read.Found {
		return read, err
	}
	near, err := p.Stores.Find(ctx, provision.StoreFilter{Query: id[:(len(id)+1)/2]}, "", 5)
	read.Near = near.Stores
	return read, err
}

// generationsOf groups what is kept of a store's steps by its generations, the newest first.
func generationsOf(s provision.State) (all []generation) {
	for _, g := range s.History {
		all = append(all, generation{Generation: g, Newest: g.Generation == s.Generation})
	}
	for _, step := range s.Steps {
		i := slices.IndexFunc(all, func(g generation) bool { return g.Generation.Generation == step.Generation })
		if i < 0 { // of a time before the history
			continue
		}
		all[i].Steps = addStep(all[i].Steps, step)
	}
	return all
}

// addStep puts the end of a step in the place of its start.
func addStep(steps []provision.Step, step provision.Step) []provision.Step {
	if n := len(steps); n > 0 && steps[n-1].Name == step.Name && steps[n-1].Op == step.Op && steps[n-1].State == provision.StepStarted {
		steps[n-1] = step
		return steps
	}
	return append(steps, step)
}

// callbacksOf groups the deliveries by callback, the latest first.
func callbacksOf(s provision.State) (all []callback) {
	for _, d := range s.Deliveries {
		i := slices.IndexFunc(all, func(c callback) bool { return c.ID == d.CallbackID })
		if i < 0 {
			all = append(all, callback{ID: d.CallbackID, Status: d.Status, Sequence: d.Sequence, Delivered: d.Result == "delivered", Open: len(all) == 0 || d.Result != "delivered"})
			i = len(all) - 1
		}
		all[i].Deliveries = append(all[i].Deliveries, d)
	}
	return all
}
