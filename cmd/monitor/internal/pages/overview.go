package pages

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"orchestrator/provision"
)

// check is one line of the overview: something that is wrong, what it means, and where it can be mended. Its name is that of the alert that says the same.
type check struct {
	Alert    string
	Critical bool
	Text     string
	Link     string
	LinkText string
}

// overview is what the first page shows.
type overview struct {
	At      time.Time
	Summary provision.Summary
	Wrong   []check
	Passed  int
	Codes   []codeCount
}

type codeCount struct {
	Code  provision.Code
	Count int64
}

// stuckAfter is how long a store may be under way before it is called stuck, as the alert OrchestratorStoreStuck has it.
const stuckAfter = 30 * time.Minute

func (p *Pages) overview(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := reading(r)
	defer cancel()
	o, err := p.overviews.get(ctx, "", p.readOverview)
	if err != nil {
		p.unread(w, r, err)
		return
	}
	p.render.write(w, r, http.StatusOK, "overview", page{Title: "Overview", Nav: "/", Live: "all", Body: o})
}

func (p *Pages) readOverview(ctx context.Context) (o overview, err error) {
	o.At = p.now()
	if o.Summary, err = p.Fleet.Summary(ctx, p.Engines); err != nil {
		return o, err
	}
	for _, code := range slices.Sorted(maps.Keys(o.Summary.Code)) {
		o.Codes = append(o.Codes, codeCount{code, o.Summary.Code[code]})
	}
	for _, look := range []func(context.Context, *overview) ([]check, error){
		p.checkRecords, p.checkClusters, checkStuck, checkFailed, p.checkHolds, p.checkFindings, checkLetters, p.checkRollout, p.checkOrphans} {
		wrong, err := look(ctx, &o)
		if err != nil {
			return o, err
		}
		if o.Wrong = append(o.Wrong, wrong...); len(wrong) == 0 {
			o.Passed++
		}
	}
	slices.SortStableFunc(o.Wrong, func(a, b check) int {
		switch {
		case a.Critical == b.Critical:
			return 0
		case a.Critical:
			return -1
		}
		return 1
	})
	return o, nil
}

func (p *Pages) checkRecords(ctx context.Context, _ *overview) ([]check, error) {
	err := p.Clusters.Ready(ctx)
	if err == nil {
		return nil, nil
	}
	return []check{{"OrchestratorRecordsIncomplete", true, provision.Public(err) + " New stores get 503 until then.", "/clusters", "Clusters"}}, nil
}

func (p *Pages) checkClusters(ctx context.Context, _ *overview) (wrong []check, err error) {
	clusters, err := p.Clusters.Clusters(ctx)
	for _, c := range clusters {
		if !c.Healthy && !c.Lost {
			wrong = append(wrong, check{"OrchestratorClusterDown", true,
				fmt.Sprintf("No worker reaches the cluster %s. Its %s stores go on as they are, and nothing of them can be changed.", c.Name, grouped(c.Stores)), "/clusters", "Clusters"})
		}
	}
	return wrong, err
}

func checkStuck(_ context.Context, o *overview) ([]check, error) {
	n, oldest := 0, time.Duration(0)
	for _, s := range o.Summary.Oldest {
		if age := o.At.Sub(s.AcceptedAt); age > stuckAfter {
			n, oldest = n+1, max(oldest, age)
		}
	}
	if n == 0 {
		return nil, nil
	}
	return []check{{"OrchestratorStoreStuck", false, fmt.Sprintf("%s under way for more than %s, the longest for %s.", stores(n, "has been", "have been"), provision.InWords(stuckAfter),
		provision.InWords(oldest)), "/stores?status=PROVISIONING", "What is under way"}}, nil
}

func checkFailed(_ context.Context, o *overview) ([]check, error) {
	failed, undeleted := o.Summary.Status[provision.StatusFailed], o.Summary.Status[provision.StatusDeleteFailed]
	var wrong []check
	if failed > 0 {
		wrong = append(wrong, check{"OrchestratorStoresFail", false, stores(int(failed), "has", "have") + " FAILED: the owner has paid and has no shop, or not the newest settings.", "/stores?status=FAILED", "Failed stores"})
	}
	if undeleted > 0 {
		wrong = append(wrong, check{"OrchestratorStoresFail", false, stores(int(undeleted), "is", "are") + " DELETE_FAILED: something of it is left in the cluster.", "/stores?status=DELETE_FAILED", "Failed deletes"})
	}
	return wrong, nil
}

func (p *Pages) checkHolds(ctx context.Context, _ *overview) (wrong []check, err error) {
	holds, err := p.Fleet.Holds(ctx)
	for _, h := range holds {
		wrong = append(wrong, check{"OrchestratorCauseHeld", true, fmt.Sprintf("%s on %s: %s wait for one cause to end (%s): %s", h.Engine, h.Cluster, stores(int(h.Stores), "", ""), h.Code, h.Error),
			"/attention?kind=hold", "What waits"})
	}
	return wrong, err
}

func (p *Pages) checkFindings(ctx context.Context, _ *overview) ([]check, error) {
	counts, err := p.Fleet.CountFindings(ctx)
	var wrong []check
	if n := counts[provision.FindingUnwell]; n > 0 {
		wrong = append(wrong, check{"OrchestratorStoresUnhealthy", false, stores(int(n), "has", "have") + " pods that have not been available for minutes.", "/attention?kind=unwell", "Unwell stores"})
	}
	if n := counts[provision.FindingDrifted]; n > 0 {
		wrong = append(wrong, check{"", false, stores(int(n), "is", "are") + " not as the release says: an object was changed from outside.", "/attention?kind=drifted", "Drifted stores"})
	}
	return wrong, err
}

func checkLetters(_ context.Context, o *overview) ([]check, error) {
	if o.Summary.DeadLetters == 0 {
		return nil, nil
	}
	return []check{{"OrchestratorDeadLetters", false, fmt.Sprintf("The backend has refused %s for good: it does not know how the stores stand.", callbacks(o.Summary.DeadLetters)), "/dead-letters", "Dead letters"}}, nil
}

func (p *Pages) checkRollout(ctx context.Context, _ *overview) ([]check, error) {
	o, found, err := p.Rollouts.Rollout(ctx)
	if !found || o.State != provision.RolloutPaused {
		return nil, err
	}
	return []check{{"OrchestratorRolloutPaused", false, fmt.Sprintf("The rollout of %s is paused: %s.", o.Engine, orText(o.Reason, "by an operator")), "/rollout", "Rollout"}}, err
}

func (p *Pages) checkOrphans(ctx context.Context, _ *overview) ([]check, error) {
	counts, err := p.Stores.CountOrphans(ctx)
	n := counts[provision.OrphanForgotten] + counts[provision.OrphanContested]
	if n == 0 {
		return nil, err
	}
	return []check{{"", false, stores(int(n), "", "") + " may no longer be wanted, and hold a host or cost money.", "/attention?kind=forgotten", "Orphans"}}, err
}

func callbacks(n int64) string {
	if n == 1 {
		return "1 callback"
	}
	return grouped(n) + " callbacks"
}

// stores is how many, with the verb that belongs to it.
func stores(n int, one, many string) string {
	if n == 1 {
		return orText("1 store "+one, "1 store")
	}
	return grouped(n) + " stores " + many
}
