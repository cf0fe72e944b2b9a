package pages

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/monitor/internal/login"
	"orchestrator/provision"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// fake is a record and what acts on it, with configured answers.
type fake struct {
	err      error // of every read
	states   map[string]provision.State
	page     provision.Page
	summary  provision.Summary
	holds    []provision.Hold
	findings map[provision.FindingKind]int64
	orphans  map[provision.OrphanKind]int64
	lost     provision.Orphans
	letters  provision.DeadLetters
	clusters []provision.ClusterState
	unready  error
	rollout  provision.Rollout
	waiting  Waiting

	filter  provision.StoreFilter
	reads   int
	did     string
	options Options
	origin  provision.Origin
	doErr   error
	missing bool
	dropped bool
}

func (f *fake) Store(_ context.Context, id string) (provision.State, bool, error) {
	f.reads++
	s, ok := f.states[id]
	return s, ok, f.err
}

func (f *fake) Find(_ context.Context, filter provision.StoreFilter, _ string, _ int) (provision.Page, error) {
	f.filter = filter
	return f.page, f.err
}

func (f *fake) Orphans(context.Context, provision.OrphanKind, string, int) (provision.Orphans, error) {
	return f.lost, f.err
}

func (f *fake) CountOrphans(context.Context) (map[provision.OrphanKind]int64, error) {
	return f.orphans, f.err
}

func (f *fake) Clusters(context.Context) ([]provision.ClusterState, error) { return f.clusters, f.err }
func (f *fake) Ready(context.Context) error                                { return f.unready }

func (f *fake) Summary(context.Context, []string) (provision.Summary, error) {
	f.reads++
	return f.summary, f.err
}

func (f *fake) Holds(context.Context) ([]provision.Hold, error) { return f.holds, f.err }

func (f *fake) Findings(context.Context, provision.FindingKind, string, int) (provision.Page, error) {
	return f.page, f.err
}

func (f *fake) CountFindings(context.Context) (map[provision.FindingKind]int64, error) {
	return f.findings, f.err
}

func (f *fake) DeadLetters(context.Context, string, int) (provision.DeadLetters, error) {
	return f.letters, f.err
}

func (f *fake) Waiting(context.Context, []string) (Waiting, error) { return f.waiting, f.err }

func (f *fake) Unconfirmed(context.Context, int) ([]provision.State, error) {
	return f.page.Stores, f.err
}

func (f *fake) Rollout(context.Context) (provision.Rollout, bool, error) {
	return f.rollout, f.rollout.Engine != "", f.err
}

func (f *fake) ChangeRollout(ctx context.Context, change provision.RolloutChange) (bool, error) {
	return f.act(ctx, "rollout "+string(change))
}

func (f *fake) act(ctx context.Context, what string) (bool, error) {
	f.did, f.origin = what, provision.OriginOf(ctx)
	return !f.missing && f.doErr == nil, f.doErr
}

// acting is the same fake, as Actions.
type acting struct{ *fake }

func (a acting) Do(ctx context.Context, action provision.Action, id string, generation int64, o Options) (bool, error) {
	a.options = o
	return a.act(ctx, strings.Join([]string{string(action), id, grouped(generation)}, " "))
}

func (a acting) Replay(ctx context.Context, id string) (provision.ReplayResult, error) {
	found, err := a.act(ctx, "replay "+id)
	if !found {
		return provision.ReplayUnknown, err
	}
	if a.dropped {
		return provision.ReplayDropped, err
	}
	return provision.ReplayQueued, err
}

func (a acting) ReleaseHold(ctx context.Context, cluster, engine string) (bool, error) {
	return a.act(ctx, "release "+cluster+" "+engine)
}

// site serves the pages of a fake to a user.
type site struct {
	*fake
	pages *Pages
	mux   *http.ServeMux
	log   *bytes.Buffer
	role  login.Role
}

func newSite(t *testing.T, f *fake) *site {
	t.Helper()
	log := &bytes.Buffer{}
	p, err := New(Config{Stores: f, Clusters: f, Fleet: f, Letters: f, Rollouts: f, Counts: f, Actions: acting{f}, TaskPath: func(s provision.State) string { return "/queues/queues/provision/tasks/" + s.TaskID }, Engines: []string{"medusa", "woocommerce"},
		Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	p.now = func() time.Time { return noon }
	p.render.now = p.now
	s := &site{fake: f, pages: p, mux: http.NewServeMux(), log: log, role: login.Operator}
	p.Routes(s.mux)
	return s
}

func (s *site) send(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r.WithContext(login.WithUser(r.Context(), login.User{Name: "ana", Role: s.role})))
	return w
}

func (s *site) get(path string) *httptest.ResponseRecorder { return s.send("GET", path, nil) }

// failed is a store with everything that a page may show.
func failed() provision.State {
	at := noon.Add(-time.Hour)
	return provision.State{StoreID: "shop-1", Name: "shop-1", Engine: "medusa", Namespace: "store-1", Host: "shop.example.com", StoreURL: "https://shop.example.com", CreatorID: "42",
		Cluster: "eu", Action: provision.OpProvision, Generation: 7, TaskID: "7.shop-1", Status: provision.StatusFailed, Code: provision.CodeImage, Error: `no <such> image "x"`,
		AcceptedAt: at, Deadline: at.Add(time.Hour), DecidedAt: at.Add(time.Minute), Unwell: "pod db-0", Backup: &provision.Backup{Run: "r-2", At: at, Orders: 7},
		Backups:     []provision.Backup{{Run: "r-2", At: at, Orders: 7, Bytes: 12345678}, {Run: "r-1", At: at.Add(-24 * time.Hour), Orders: 5, Products: 3}},
		Restore:     &provision.Restore{Generation: 7, Backup: provision.Backup{Run: "r-1", At: at.Add(-24 * time.Hour), Orders: 5}},
		RestoreTest: &provision.RestoreTest{Run: "r-1", BackupAt: at, At: at, Seconds: 70}, RestoreTestFailure: &provision.BackupFailure{Error: "the dump has no end", Since: at},
		BackupFailure: &provision.BackupFailure{Error: "the gate is away", Since: at}, AuditedAt: at, Edition: "e1", Outdated: true, Protected: true,
		Drift:   []provision.Difference{{Object: "service a", Fields: []string{"spec.type"}, Manager: "kubectl"}, {Object: "secret b", Missing: true}},
		Request: &provision.Request{Name: "shop-1", Host: "shop.example.com", Settings: provision.Settings{Title: "Käse & Wein", Currency: "EUR"}},
		Outputs: provision.Outputs{"publishable_key": "pk"}, DeadLetterID: "7.2.shop-1",
		Steps: []provision.Step{
			{At: at, Generation: 6, Op: provision.OpProvision, Name: provision.StepReady, State: provision.StepDone, Millis: 900},
			{At: at, Generation: 7, Op: provision.OpProvision, Name: provision.StepNamespace, State: provision.StepStarted},
			{At: at, Generation: 7, Op: provision.OpProvision, Name: provision.StepNamespace, State: provision.StepDone, Millis: 100},
			{At: at, Generation: 7, Op: provision.OpProvision, Name: provision.StepReady, State: provision.StepFailed, Millis: 5000, Code: provision.CodeImage, Error: "a step's own text", Tries: 14, Since: at},
		},
		History: []provision.Generation{
			{Generation: 7, Op: provision.OpProvision, Status: provision.StatusFailed, Code: provision.CodeImage, Error: `no <such> image "x"`, RequestedBy: "backend", RequestID: "r-7", AcceptedAt: at, DecidedAt: at.Add(time.Minute)},
			{Generation: 6, Op: provision.OpProvision, Status: provision.StatusFailed, Code: provision.CodeQuota, Error: "quota of before", AcceptedAt: at.Add(-time.Hour), DecidedAt: at},
		},
		Deliveries: []provision.Delivery{
			{At: at, CallbackID: "7.2.shop-1", Generation: 7, Sequence: 2, Status: provision.StatusFailed, Result: "refused", Millis: 12, HTTPStatus: 404, Answer: "<b>no such store</b>"},
			{At: at, CallbackID: "7.2.shop-1", Generation: 7, Sequence: 2, Status: provision.StatusFailed, Result: "retry", Reason: "no answer: refused", NextAt: noon},
			{At: at, CallbackID: "6.1.shop-1", Generation: 6, Sequence: 1, Status: provision.StatusReady, Result: "delivered", HTTPStatus: 204},
		},
	}
}

// busy is a record in which much is wrong.
func busy() *fake {
	s := failed()
	return &fake{
		states: map[string]provision.State{s.StoreID: s},
		page:   provision.Page{Stores: []provision.State{s}, Next: "99"},
		summary: provision.Summary{Stores: 1234, Status: map[provision.Status]int64{provision.StatusFailed: 2, provision.StatusDeleteFailed: 1, provision.StatusReady: 1231},
			Code: map[provision.Code]int64{provision.CodeImage: 2}, Engine: map[string]int64{"medusa": 1234}, Cluster: map[string]int64{"eu": 1234}, DeadLetters: 1,
			Oldest: []provision.State{{StoreID: "slow", Engine: "medusa", Status: provision.StatusProvisioning, Attempts: 2, AcceptedAt: noon.Add(-45 * time.Minute)}}},
		holds:    []provision.Hold{{Cluster: "eu", Engine: "medusa", Code: provision.CodeImage, Error: "no image", Since: noon.Add(-time.Minute), Stores: 9}},
		findings: map[provision.FindingKind]int64{provision.FindingUnwell: 1, provision.FindingDrifted: 2},
		orphans:  map[provision.OrphanKind]int64{provision.OrphanForgotten: 3},
		lost:     provision.Orphans{Orphans: []provision.Orphan{{Kind: provision.OrphanForgotten, Since: noon.Add(-48 * time.Hour), Store: s}}},
		letters:  provision.DeadLetters{DeadLetters: []provision.DeadLetter{{ID: "7.2.shop-1", StoreID: "shop-1", Status: provision.StatusFailed, Reason: "404 <nothing>", RefusedAt: noon.Add(-time.Hour)}}, Next: "5"},
		waiting:  Waiting{Oldest: noon.Add(-45 * time.Minute), PendingCallbacks: 3, PendingSince: noon.Add(-7 * time.Hour), Memory: 0.9},
		clusters: []provision.ClusterState{{Name: "us", Healthy: true, Stores: 1}, {Name: "eu", Stores: 1233}, {Name: "old", Lost: true, Ending: true}},
		unready:  provision.Errorf(provision.CodeUnavailable, "the records of cluster us are not recovered yet."),
		rollout: provision.Rollout{RolloutPlan: provision.RolloutPlan{Engine: "medusa", Waves: []string{"1", "10%"}}, State: provision.RolloutPaused, Reason: "a store has failed", Wave: 1, Total: 10, Done: 3,
			Failed: 1, Todo: 6, StartedAt: noon.Add(-time.Hour), Errors: map[string]string{"shop-9": "not ready"}},
	}
}
