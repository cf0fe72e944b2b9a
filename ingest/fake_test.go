package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

const (
	testToken      = "correct-horse"
	powerlessToken = "powerless" // has no scope
)

// fake is an Acceptor, a Repeater, a Reader, a Replayer, Clusters and a Readiness with configured results.
type fake struct {
	err       error // of every method
	panics    any
	hangs     bool
	next      provision.Accepted
	got       []provision.Request
	state     provision.State
	page      provision.Page
	dead      provision.DeadLetters
	events    [][]provision.Event // what the next calls answer; then Redis is away
	after     []string
	lost      provision.Orphans
	held      []provision.Hold
	released  string // cluster and engine
	rollout   provision.Rollout
	plan      provision.RolloutPlan
	change    provision.RolloutChange
	most      *int64
	grace     provision.Grace
	filter    provision.StoreFilter
	kind      provision.OrphanKind
	ifGen     int64
	origin    provision.Origin
	force     []provision.Force
	reason    string
	restores  provision.RestoreRequest
	protected bool
	cancel    provision.Cancelled
	places    []provision.ClusterState
	lose      string
	find      string
	replay    provision.ReplayResult
	id        string // of the replayed callback
	cursor    string
	limit     int
	calls     int
}

func (f *fake) answer(ctx context.Context) error {
	f.calls++
	if f.panics != nil {
		panic(f.panics)
	}
	if f.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *fake) Accept(ctx context.Context, r provision.Request) (provision.Accepted, error) {
	f.got, f.origin = append(f.got, r), provision.OriginOf(ctx)
	return f.next, f.answer(ctx)
}

func (f *fake) AcceptIf(ctx context.Context, r provision.Request, generation int64) (provision.Accepted, error) {
	f.ifGen = generation
	return f.Accept(ctx, r)
}

func (f *fake) Retry(ctx context.Context, id string, generation int64, force []provision.Force) (provision.Accepted, bool, error) {
	f.id, f.ifGen, f.force, f.origin = id, generation, force, provision.OriginOf(ctx)
	return f.next, f.state.StoreID == id, f.answer(ctx)
}

func (f *fake) Suspend(ctx context.Context, id string, generation int64, reason string) (provision.Accepted, bool, error) {
	f.reason = reason
	return f.Retry(ctx, id, generation, nil)
}

func (f *fake) Resume(ctx context.Context, id string, generation int64) (provision.Accepted, bool, error) {
	f.reason = "none: resumed"
	return f.Retry(ctx, id, generation, nil)
}

func (f *fake) Rotate(ctx context.Context, id string, generation int64) (provision.Accepted, bool, error) {
	f.reason = "none: rotated"
	return f.Retry(ctx, id, generation, nil)
}

func (f *fake) Restore(ctx context.Context, id string, generation int64, want provision.RestoreRequest) (provision.Accepted, bool, error) {
	f.restores = want
	return f.Retry(ctx, id, generation, nil)
}

func (f *fake) RequestBackup(ctx context.Context, id string, generation int64) (time.Time, bool, error) {
	f.id, f.ifGen, f.origin = id, generation, provision.OriginOf(ctx)
	return time.Date(2026, 11, 23, 4, 0, 0, 5e6, time.UTC), f.state.StoreID == id, f.answer(ctx)
}

func (f *fake) Protect(ctx context.Context, id string, protected bool) (bool, error) {
	f.id, f.protected = id, protected
	return f.state.StoreID == id, f.answer(ctx)
}

func (f *fake) Cancel(ctx context.Context, id string, generation int64) (provision.Cancelled, bool, error) {
	f.id, f.ifGen, f.origin = id, generation, provision.OriginOf(ctx)
	return f.cancel, f.state.StoreID == id, f.answer(ctx)
}

func (f *fake) Store(ctx context.Context, id string) (provision.State, bool, error) {
	return f.state, f.state.StoreID == id, f.answer(ctx)
}

func (f *fake) Stores(ctx context.Context, filter provision.StoreFilter, cursor string, limit int) (provision.Page, error) {
	f.filter, f.cursor, f.limit = filter, cursor, limit
	return f.page, f.answer(ctx)
}

func (f *fake) OfStore(ctx context.Context, _, after string, _ int) ([]provision.Event, error) {
	f.after = append(f.after, after)
	if err := f.answer(ctx); err != nil {
		return nil, err
	}
	if len(f.events) == 0 {
		if after == "" {
			return nil, nil
		}
		return nil, errors.New("away")
	}
	next := f.events[0]
	f.events = f.events[1:]
	return next, nil
}

func (f *fake) Summary(ctx context.Context, engines []string) (provision.Summary, error) {
	counted := provision.Summary{Stores: 1, Status: map[provision.Status]int64{"READY": 1}, Code: map[provision.Code]int64{}, Engine: map[string]int64{}, Cluster: map[string]int64{"default": 1}}
	for _, e := range engines {
		counted.Engine[e]++
	}
	return counted, f.answer(ctx)
}

func (f *fake) Orphans(ctx context.Context, kind provision.OrphanKind, cursor string, limit int) (provision.Orphans, error) {
	f.kind, f.cursor, f.limit = kind, cursor, limit
	return f.lost, f.answer(ctx)
}

func (f *fake) DeadLetters(ctx context.Context, cursor string, limit int) (provision.DeadLetters, error) {
	f.cursor, f.limit = cursor, limit
	return f.dead, f.answer(ctx)
}

func (f *fake) Findings(ctx context.Context, kind provision.FindingKind, cursor string, limit int) (provision.Page, error) {
	f.kind, f.cursor, f.limit = provision.OrphanKind(kind), cursor, limit
	return f.page, f.answer(ctx)
}

func (f *fake) Rollout(ctx context.Context) (provision.Rollout, bool, error) {
	return f.rollout, f.rollout.Engine != "", f.answer(ctx)
}

func (f *fake) StartRollout(ctx context.Context, p provision.RolloutPlan) error {
	f.plan = p
	return f.answer(ctx)
}

func (f *fake) ChangeRollout(ctx context.Context, change provision.RolloutChange) (bool, error) {
	f.change = change
	return f.rollout.Engine != "", f.answer(ctx)
}

func (f *fake) Quota(ctx context.Context, creator string) (provision.Quota, error) {
	return provision.Quota{CreatorID: creator, Stores: 2, Most: 5}, f.answer(ctx)
}

func (f *fake) SetQuota(ctx context.Context, creator string, most *int64) error {
	f.most = most
	return f.answer(ctx)
}

func (f *fake) DeleteLater(ctx context.Context, id string, generation int64, grace provision.Grace) (provision.Accepted, bool, error) {
	f.ifGen, f.grace = generation, grace
	a := f.next
	a.Action = provision.OpProvision
	return a, f.state.StoreID == id, f.answer(ctx)
}

func (f *fake) Holds(ctx context.Context) ([]provision.Hold, error) { return f.held, f.answer(ctx) }

func (f *fake) ReleaseHold(ctx context.Context, cluster, engine string) (bool, error) {
	f.released = cluster + " " + engine
	return len(f.held) > 0, f.answer(ctx)
}

func (f *fake) Clusters(ctx context.Context) ([]provision.ClusterState, error) {
	return f.places, f.answer(ctx)
}

func (f *fake) LoseCluster(ctx context.Context, name string) error {
	f.lose = name
	return f.answer(ctx)
}

func (f *fake) FindCluster(ctx context.Context, name string) error {
	f.find = name
	return f.answer(ctx)
}

func (f *fake) Replay(ctx context.Context, id string) (provision.ReplayResult, error) {
	f.id = id
	return f.replay, f.answer(ctx)
}

func (f *fake) Ready(ctx context.Context) error { return f.answer(ctx) }

// rig is a handler with its fake and its log.
type rig struct {
	*fake
	handler *echo.Echo
	log     *bytes.Buffer
	metrics *prometheus.Registry
}

func newRig(t testing.TB, f *fake) *rig {
	t.Helper()
	if f.next.TaskID == "" {
		f.next = provision.Accepted{Generation: 1700000000123, TaskID: "1700000000123.s-1"}
	}
	r := &rig{fake: f, log: &bytes.Buffer{}, metrics: prometheus.NewRegistry()}
	r.rebuild(t, func(*Config) {})
	return r
}

// rebuild makes the handler anew, from a configuration that change has changed.
func (r *rig) rebuild(t testing.TB, change func(*Config)) {
	t.Helper()
	r.metrics = prometheus.NewRegistry()
	f := r.fake
	c := Config{
		Tokens: []string{testToken, "the-next-one"}, NamedTokens: []NamedToken{named("powerless", powerlessToken)},
		Policy:   provision.Policy{Engines: []string{"woocommerce", "medusa"}, ReservedNamespaces: []string{"orchestrator"}, Clusters: []string{"eu", "us"}},
		Acceptor: f, Repeater: f, Rotator: f, Restorer: f, Backups: f, Protector: f, Reader: f, Replayer: f, Clusters: f, Holds: f, Findings: f, Counter: f, Events: f, Rollouts: f, Quotas: f, Later: f, Readiness: f, Maintained: true,
		Timeout: 50 * time.Millisecond,
		Log:     slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: r.metrics,
	}
	change(&c)
	handler, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.handler = handler
}

// reply is a response with its JSON body parsed.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// send sends a request with a valid token and the JSON content type. headers are pairs of name and value that replace
// these; the value "-" removes a header.
func (r *rig) send(method, target, body string, headers ...string) reply {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set(tokenHeader, testToken)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "-" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	a := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.HasSuffix(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			panic("an answer that says it is JSON is not: " + a.raw)
		}
	}
	return a
}

// fields returns the names of the invalid fields of a 422.
func (a reply) fields() []string {
	var names []string
	entries, _ := a.body["errors"].([]any)
	for _, e := range entries {
		names = append(names, e.(map[string]any)["field"].(string))
	}
	return names
}

// store returns a valid body with changes; a nil value removes a key.
func store(changes map[string]any) string {
	all := map[string]any{
		"store_id": "s-1", "name": "shop-1", "engine": "woocommerce", "namespace": "store-1",
		"host": "shop.example.com", "store_url": "https://shop.example.com",
	}
	for key, value := range changes {
		all[key] = value
		if value == nil {
			delete(all, key)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	m.Run()
}
