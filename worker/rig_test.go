package worker_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/provision/mock"
	"orchestrator/worker"
	"orchestrator/worker/callback"
	"orchestrator/worker/intake"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

const (
	token     = "token-of-the-test"
	waitLimit = time.Minute // for what takes a second on a machine that is not busy
)

// service is what every worker of a test shares: a Redis and a backend.
type service struct {
	*record.Records
	tasks   *queue.Tasks
	intake  *intake.Intake
	redis   redis.UniversalClient
	url     string
	backend *backend
}

func newService(t *testing.T, url string) *service {
	t.Helper()
	if strings.HasPrefix(url, "redis://") {
		tick(t, url)
	}
	client := connect(t, url, redisconn.FailFast)
	s := &service{Records: record.New(client, record.Options{}), tasks: queue.NewTasks(client), redis: client, url: url, backend: newBackend(t)}
	if err := s.Recovery.MarkComplete(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.intake = &intake.Intake{Records: s.Records, Tasks: s.tasks, GenerationTimeout: time.Hour, Log: slog.New(slog.DiscardHandler)}
	return s
}

// tick lets leases on a miniredis run out, which has no time of its own.
func tick(t *testing.T, url string) {
	t.Helper()
	every := time.NewTicker(time.Second)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-every.C:
				redistest.Elapse(url, time.Second)
			}
		}
	}()
	t.Cleanup(func() { every.Stop(); close(stop); <-ended })
}

func connect(t *testing.T, url string, purpose redisconn.Profile) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Connect(url, purpose, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// work starts a worker and returns what stops it. It is stopped at the end of the test at the latest.
func (s *service) work(t *testing.T, changes ...func(*worker.Config)) (stop func()) {
	t.Helper()
	sender, err := callback.NewSender(s.backend.URL, token, "", callback.TLSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	c := worker.Config{Server: connect(t, s.url, redisconn.RetryToDeadline), Redis: connect(t, s.url, redisconn.FailFast),
		Clusters: []worker.Cluster{oneCluster("", quick())}, Sender: sender, Limits: worker.DefaultLimits(),
		Slots: worker.Slots{Provision: 100, Delete: 50, Callback: 20}, Poll: 20 * time.Millisecond,
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)}
	for _, change := range changes {
		change(&c)
	}
	w, err := worker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// oneCluster is a cluster that answers and saves nothing.
func oneCluster(name string, r worker.Runner) worker.Cluster {
	return worker.Cluster{Name: name, Runner: r, Passwords: mock.Passwords{Token: token}, State: mock.ClusterState{},
		Check: func(context.Context) error { return nil }}
}

func quick() *provision.Runner {
	return mock.Cluster{StepTime: time.Millisecond}.Runner(map[string]provision.Engine{"toy": toy{}}, time.Minute, time.Minute)
}

// toy is an engine with nothing in it.
type toy struct{}

func (toy) Release(provision.Store) (provision.Release, error)                  { return provision.Release{}, nil }
func (toy) VerifyPublic(context.Context, provision.Store, provision.Shop) error { return nil }
func (toy) Verify(context.Context, provision.Store, provision.Shop) (provision.Outputs, error) {
	return nil, nil
}

func runHandler(r worker.Runner) func(*worker.Config) {
	return func(c *worker.Config) { c.Clusters[0].Runner = r }
}

func (s *service) accept(t *testing.T, req provision.Request) provision.Accepted {
	t.Helper()
	accepted, err := s.intake.Accept(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return accepted
}

func shop(id string) provision.Request {
	return provision.Request{StoreID: id, Name: "shop", Engine: "toy", Namespace: "ns-" + id, Host: id + ".example", StoreURL: "https://" + id + ".example",
		Action: provision.OpProvision}
}

func remove(id string) provision.Request {
	return provision.Request{StoreID: id, Action: provision.OpDelete}
}

// state is the store as it is shown.
func (s *service) state(t *testing.T, id string) provision.State {
	t.Helper()
	state, ok, err := s.Requests.Store(t.Context(), id)
	if err != nil || !ok {
		t.Fatalf("store %s: %v, %v", id, ok, err)
	}
	return state
}

// due lets the sweeper inspect the store now instead of in a few seconds.
func (s *service) due(t *testing.T, id string) {
	t.Helper()
	if err := s.redis.ZAdd(t.Context(), "{orch}:outstanding", redis.Z{Member: id}).Err(); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what is not announced.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waitLimit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %s: %s", waitLimit, what)
		}
	}
}

// held is a runner whose runs of some generations wait to be let go or to be cancelled.
type held struct {
	worker.Runner
	hold    func(provision.Op, provision.Store) bool
	started chan provision.Store
	ended   chan error // of the held runs that were cancelled
	letGo   chan struct{}
}

func hold(hold func(provision.Op, provision.Store) bool) *held {
	return &held{Runner: quick(), hold: hold, started: make(chan provision.Store, 100), ended: make(chan error, 100), letGo: make(chan struct{})}
}

// once holds the first run and no other.
func once() func(provision.Op, provision.Store) bool {
	var before atomic.Bool
	return func(provision.Op, provision.Store) bool { return !before.Swap(true) }
}

func deletes(op provision.Op, _ provision.Store) bool { return op == provision.OpDelete }

func (h *held) Run(ctx context.Context, op provision.Op, s provision.Store, onStep func(provision.Step)) error {
	if h.hold(op, s) {
		h.started <- s
		select {
		case <-ctx.Done():
			h.ended <- context.Cause(ctx)
			return context.Cause(ctx)
		case <-h.letGo:
		}
	}
	return h.Runner.Run(ctx, op, s, onStep)
}

// receive waits for a value.
func receive[T any](t *testing.T, from <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(waitLimit):
		t.Fatalf("nothing after %s: %s", waitLimit, what)
	}
	return v
}

// delivered is a callback as the backend got it.
type delivered struct {
	store, id, status, password, url, err string
	generation, sequence                  int64
}

// backend keeps what it receives. It takes everything until a test says otherwise.
type backend struct {
	*httptest.Server

	mu     sync.Mutex
	got    []delivered
	news   chan struct{} // closed and replaced with every callback
	answer func(n int) int
}

func newBackend(t *testing.T) *backend {
	b := &backend{news: make(chan struct{}), answer: func(int) int { return http.StatusNoContent }}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var body struct{ Status, URL, Error, Password string }
	_ = json.Unmarshal(text, &body)
	number := func(name string) int64 { n, _ := strconv.ParseInt(r.Header.Get(name), 10, 64); return n }
	store := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/stores/"), "/status")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, delivered{store, r.Header.Get("webhook-id"), body.Status, body.Password, body.URL, body.Error,
		number("X-Orchestrator-Generation"), number("X-Orchestrator-Sequence")})
	w.WriteHeader(b.answer(len(b.got)))
	close(b.news)
	b.news = make(chan struct{})
}

func (b *backend) all() ([]delivered, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got), b.news
}

// of are the callbacks that the backend got of a store.
func (b *backend) of(store string) []delivered {
	all, _ := b.all()
	return slices.DeleteFunc(all, func(c delivered) bool { return c.store != store })
}

// await waits until the store's callbacks have these statuses, and fails as soon as they cannot any more.
func (b *backend) await(t *testing.T, store string, statuses ...string) []delivered {
	t.Helper()
	for timeout := time.After(waitLimit); ; {
		_, news := b.all()
		got := b.of(store)
		var have []string
		for _, c := range got {
			have = append(have, c.status)
		}
		if slices.Equal(have, statuses) {
			return got
		}
		if len(have) >= len(statuses) {
			t.Fatalf("store %s: the backend was delivered %v, want %v", store, have, statuses)
		}
		select {
		case <-news:
		case <-timeout:
			t.Fatalf("store %s: the backend was delivered %v after %s, want %v", store, have, waitLimit, statuses)
		}
	}
}

// settled waits until the store has its outcome and all callbacks are delivered, and returns how it is shown.
func (s *service) settled(t *testing.T, id string) (state provision.State) {
	t.Helper()
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		state = s.state(t, id)
		if state.Status.Final() && state.PendingCallbacks == 0 && !state.Running && state.DeleteGeneration == 0 {
			return state
		}
	}
	t.Fatalf("store %s is not settled after %s: %+v\nthe backend was delivered %+v", id, waitLimit, state, s.backend.of(id))
	return state
}

// silent is a backend that takes the request and never answers.
type silent struct{ began chan struct{} }

func (s *silent) Send(ctx context.Context, _ callback.Message) callback.Result {
	s.began <- struct{}{}
	<-ctx.Done()
	return callback.Result{Outcome: callback.Retry, Reason: "no answer"}
}
