package pages

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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
	Waiting Waiting
	Wrong   []check
	Passed  []string // what was looked at and is in order
	Codes   []codeCount
}

type codeCount struct {
	Code  provision.Code
	Count int64
}

// From when on something is called wrong, as the alerts have it.
const (
	stuckAfter    = 30 * time.Minute
	lateAfter     = 15 * time.Minute
	veryLateAfter = 6 * time.Hour
	memoryMost    = 0.8
)

func (p *Pages) overview(w http.ResponseWriter, r *http.Request) {
	show(p, w, r, &p.overviews, "", p.readOverview, "overview", page{Title: "Overview", Nav: "/"})
}

func (p *Pages) readOverview(ctx context.Context) (o overview, err error) {
	o.At = p.now()
	if o.Summary, err = p.Fleet.Summary(ctx, p.Engines); err != nil {
		return o, err
	}
	if o.Waiting, err = p.Counts.Waiting(ctx, p.Engines); err != nil {
		return o, err
	}
	for _, code := range slices.Sorted(maps.Keys(o.Summary.Code)) {
		o.Codes = append(o.Codes, codeCount{code, o.Summary.Code[code]})
	}
	for _, look := range []struct {
		at string
		do func(context.Context, *overview) ([]check, error)
	}{
		{"records", p.checkRecords}, {"clusters", p.checkClusters}, {"what is under way", checkStuck}, {"outcomes", checkFailed}, {"callbacks", checkPending}, {"dead letters", checkLetters},
		{"holds", p.checkHolds}, {"health and drift", p.checkFindings}, {"rollout", p.checkRollout}, {"orphans", p.checkOrphans}, {"memory of Redis", checkMemory},
	} {
		wrong, err := look.do(ctx, &o)
		if err != nil {
			return o, err
		}
		if o.Wrong = append(o.Wrong, wrong...); len(wrong) == 0 {
			o.Passed = append(o.Passed, look.at)
		}
	}
	slices.SortStableFunc(o.Wrong, func(a, b check) int { return rank(!a.Critical) - rank(!b.Critical) })
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
				fmt.Sprintf("No worker reaches the cluster %s. Its shops (%s) go on as they are, and nothing of them can be changed.", c.Name, stores(int(c.Stores), "", "")), "/clusters", "Clusters"})
		}
	}
	return wrong, err
}

// checkStuck looks at stores that wait for nothing but their own run.
func checkStuck(_ context.Context, o *overview) ([]check, error) {
	if o.Waiting.Oldest.IsZero() || o.At.Sub(o.Waiting.Oldest) < stuckAfter {
		return nil, nil
	}
	text := "A store has been under way for " + provision.InWords(o.At.Sub(o.Waiting.Oldest)) + ". Those that are under way the longest are listed below."
	return []check{{"OrchestratorStoreStuck", false, text, "/stores?status=PROVISIONING", "What is under way"}}, nil
}

// checkPending looks at what the backend has not confirmed.
func checkPending(_ context.Context, o *overview) ([]check, error) {
	age := o.At.Sub(o.Waiting.PendingSince)
	if o.Waiting.PendingSince.IsZero() || age < lateAfter {
		return nil, nil
	}
	c := check{"OrchestratorCallbacksLate", false, fmt.Sprintf("The backend has not taken %s, the oldest for %s. The page of a store has its answers.",
		callbacks(o.Waiting.PendingCallbacks), provision.InWords(age)), "/attention?kind=pending", "What is not told"}
	if age > veryLateAfter {
		c.Alert, c.Critical = "OrchestratorCallbacksVeryLate", true
	}
	return []check{c}, nil
}

func checkMemory(_ context.Context, o *overview) ([]check, error) {
	if o.Waiting.Memory <= memoryMost {
		return nil, nil
	}
	return []check{{"OrchestratorRedisMemory", false, fmt.Sprintf("Redis uses %.0f %% of its memory; when it is full nothing is accepted.", 100*o.Waiting.Memory), "/clusters", "Clusters"}}, nil
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
		wrong = append(wrong, check{"OrchestratorCauseHeld", true, fmt.Sprintf("%s on %s: %s for one cause to end (%s): %s", h.Engine, h.Cluster, stores(int(h.Stores), "waits", "wait"), h.Code, h.Error),
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
		wrong = append(wrong, check{"OrchestratorStoresDrifted", false, stores(int(n), "is", "are") + " not as the release says: an object was changed from outside.", "/attention?kind=drifted", "Drifted stores"})
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
	return []check{{"OrchestratorRolloutPaused", false, fmt.Sprintf("The rollout of %s is paused: %s.", o.Engine, cmp.Or(o.Reason, "by an operator")), "/rollout", "Rollout"}}, err
}

func (p *Pages) checkOrphans(ctx context.Context, _ *overview) (wrong []check, err error) {
	counts, err := p.Stores.CountOrphans(ctx)
	if n := counts[provision.OrphanForgotten]; n > 0 {
		wrong = append(wrong, check{"OrchestratorStoresForgotten", false, "The backend does not know " + stores(int(n), "", "") + " any more; they cost money.", "/attention?kind=forgotten", "Forgotten stores"})
	}
	if n := counts[provision.OrphanContested]; n > 0 {
		wrong = append(wrong, check{"", false, stores(int(n), "has", "have") + " a host or namespace that another one was refused for.", "/attention?kind=contested", "Contested stores"})
	}
	return wrong, err
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
		return strings.TrimSpace("1 store " + one)
	}
	return strings.TrimSpace(grouped(n) + " stores " + many)
}
