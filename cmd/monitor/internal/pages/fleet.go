package pages

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"orchestrator/provision"
)

// attention is a list of stores that need an operator, of one kind.
type attention struct {
	Kind     string
	Tabs     []tab
	Stores   []row
	Since    []provision.Orphan
	Holds    []provision.Hold
	Explains string
	Next     string
}

// kinds are what the page lists, in its order, with what each means.
var kinds = []struct{ Kind, Name, Explains string }{
	{"unwell", "Unwell", "Pods of these stores have not been available for minutes. The page of a store says which."},
	{"drifted", "Drifted", "An audit has found objects of these stores changed from outside. Repair applies the release again."},
	{"outdated", "Outdated", "A new store of their engine gets another edition. A rollout upgrades them, one after the other."},
	{"pending", "Not told", "The backend has not taken the last status of these stores; it is tried again. Those that have waited the longest."},
	{"hold", "On hold", "Stores of several creators have failed for one cause of the installation; the others wait, and their deadlines stand still. One store a minute is tried all the same."},
	{"forgotten", "Forgotten", "The backend has answered the last callback of these stores with 404 or 410: it does not know them."},
	{"contested", "Contested", "Another store was refused since these own its host or namespace."},
	{"retained", "Retained", "These stores are deleted, and their data was kept."},
	{"failed", "Never ready", "These stores have failed and were never ready. Their objects may cost money."},
}

func (p *Pages) attention(w http.ResponseWriter, r *http.Request) {
	kind, cursor := cmp.Or(r.URL.Query().Get("kind"), "unwell"), r.URL.Query().Get("cursor")
	load := func(ctx context.Context) (attention, error) { return p.readAttention(ctx, kind, cursor) }
	show(p, w, r, &p.watched, kind+" "+cursor, load, "attention", page{Title: "Attention", Nav: "/attention", Done: done(r)})
}

func (p *Pages) readAttention(ctx context.Context, kind, cursor string) (a attention, err error) {
	at := slices.IndexFunc(kinds, func(k struct{ Kind, Name, Explains string }) bool { return k.Kind == kind })
	if at < 0 {
		return a, provision.Errorf(provision.CodeInvalid, "there is no kind %q", kind)
	}
	found, err := p.Fleet.CountFindings(ctx)
	if err != nil {
		return a, err
	}
	orphans, err := p.Stores.CountOrphans(ctx)
	if err != nil {
		return a, err
	}
	if a.Holds, err = p.Fleet.Holds(ctx); err != nil {
		return a, err
	}
	waiting, err := p.Counts.Waiting(ctx, p.Engines)
	if err != nil {
		return a, err
	}
	for _, k := range kinds {
		n := found[provision.FindingKind(k.Kind)] + orphans[provision.OrphanKind(k.Kind)]
		switch k.Kind {
		case "hold":
			n = int64(len(a.Holds))
		case "pending":
			n = waiting.PendingCallbacks
		}
		a.Tabs = append(a.Tabs, tab{k.Name, "/attention?kind=" + k.Kind, n, k.Kind == kind})
	}
	a.Kind, a.Explains = kind, kinds[at].Explains
	return a, p.readKind(ctx, &a, cursor)
}

func (p *Pages) readKind(ctx context.Context, a *attention, cursor string) error {
	next := ""
	switch {
	case a.Kind == "hold":
		return nil
	case a.Kind == "pending":
		unconfirmed, err := p.Counts.Unconfirmed(ctx, rowsEach)
		a.Stores = p.rows(unconfirmed)
		return err
	case slices.Contains(provision.FindingKinds, provision.FindingKind(a.Kind)):
		page, err := p.Fleet.Findings(ctx, provision.FindingKind(a.Kind), cursor, rowsEach)
		if err != nil {
			return err
		}
		a.Stores, next = p.rows(page.Stores), page.Next
	default:
		page, err := p.Stores.Orphans(ctx, provision.OrphanKind(a.Kind), cursor, rowsEach)
		if err != nil {
			return err
		}
		a.Since, next = page.Orphans, page.Next
	}
	if next != "" {
		a.Next = "/attention" + query([]string{"kind", a.Kind, "cursor", next})
	}
	return nil
}

// release is POST /holds/{cluster}/{engine}/release.
func (p *Pages) release(w http.ResponseWriter, r *http.Request) {
	cluster, engine := r.PathValue("cluster"), r.PathValue("engine")
	p.do(w, r, deed{"hold.release", cluster + "/" + engine, "/attention?kind=hold", "hold.release"}, func(ctx context.Context) (bool, error) {
		return p.Actions.ReleaseHold(ctx, cluster, engine)
	})
}

func (p *Pages) deadLetters(w http.ResponseWriter, r *http.Request) {
	cursor := r.URL.Query().Get("cursor")
	load := func(ctx context.Context) (provision.DeadLetters, error) {
		return p.Letters.DeadLetters(ctx, cursor, rowsEach)
	}
	show(p, w, r, &p.letters, cursor, load, "letters", page{Title: "Dead letters", Nav: "/dead-letters", Done: done(r)})
}

// replay is POST /dead-letters/{letter}/replay.
func (p *Pages) replay(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("letter")
	p.do(w, r, deed{"dead-letter.replay", id, "/dead-letters", "replay"}, func(ctx context.Context) (bool, error) {
		return p.replayLetter(ctx, id)
	})
}

// rolloutPage shows the newest rollout.
type rolloutPage struct {
	provision.Rollout
	Found   bool
	Changes []provision.RolloutChange
}

func (p *Pages) rollout(w http.ResponseWriter, r *http.Request) {
	show(p, w, r, &p.rollouts, "", p.readRollout, "rollout", page{Title: "Rollout", Nav: "/rollout", Done: done(r)})
}

func (p *Pages) readRollout(ctx context.Context) (rolloutPage, error) {
	o, found, err := p.Rollouts.Rollout(ctx)
	body := rolloutPage{Rollout: o, Found: found}
	switch o.State {
	case provision.RolloutRunning, provision.RolloutGathering:
		body.Changes = []provision.RolloutChange{provision.RolloutPause, provision.RolloutAbort}
	case provision.RolloutPaused:
		body.Changes = []provision.RolloutChange{provision.RolloutResume, provision.RolloutAbort}
	case provision.RolloutDone, provision.RolloutAborted:
	}
	return body, err
}

// changeRollout is POST /rollout/{change}.
func (p *Pages) changeRollout(w http.ResponseWriter, r *http.Request) {
	change := provision.RolloutChange(r.PathValue("change"))
	if !slices.Contains([]provision.RolloutChange{provision.RolloutPause, provision.RolloutResume, provision.RolloutAbort}, change) {
		p.notFound(w, r)
		return
	}
	p.do(w, r, deed{"rollout." + string(change), "rollout", "/rollout", "rollout." + string(change)}, func(ctx context.Context) (bool, error) {
		return p.Rollouts.ChangeRollout(ctx, change)
	})
}

// clustersPage shows where stores live.
type clustersPage struct {
	Clusters   []provision.ClusterState
	Incomplete string // why new stores are not accepted
}

func (p *Pages) clusters(w http.ResponseWriter, r *http.Request) {
	show(p, w, r, &p.places, "", p.readClusters, "clusters", page{Title: "Clusters", Nav: "/clusters"})
}

// readClusters reads the clusters, the ones that no worker reaches first.
func (p *Pages) readClusters(ctx context.Context) (c clustersPage, err error) {
	if c.Clusters, err = p.Clusters.Clusters(ctx); err != nil {
		return c, err
	}
	slices.SortStableFunc(c.Clusters, func(a, b provision.ClusterState) int { return rank(a.Healthy) - rank(b.Healthy) })
	if err := p.Clusters.Ready(ctx); err != nil {
		c.Incomplete = provision.Public(err)
	}
	return c, nil
}

// rank puts what is wrong before what is well.
func rank(well bool) int {
	if well {
		return 1
	}
	return 0
}
