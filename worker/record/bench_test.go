package record

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

const (
	generationTimeout = time.Hour
	leaseTTL          = time.Minute
)

// bench is a Redis and what a test does with it. Its methods fail the test where the queue returns an error.
type bench struct {
	*testing.T
	ctx     context.Context
	url     string
	redis   redis.UniversalClient
	options Options
	records *Records
	tasks   *queue.Tasks
}

// set gives the records other options.
func (b *bench) set(o Options) { b.options, b.records = o, New(b.redis, o) }

// each runs a test on every kind of Redis.
func each(t *testing.T, test func(b *bench)) {
	t.Helper()
	redistest.Each(t, func(t *testing.T, url string) { test(newBench(t, url)) })
}

// newBench is a bench on a Redis whose records are complete.
func newBench(t *testing.T, url string) *bench {
	t.Helper()
	b := connected(t, url)
	b.markComplete()
	return b
}

// connected is a bench that has asked nothing yet: its Redis may be away.
func connected(t *testing.T, url string) *bench {
	t.Helper()
	client, err := redisconn.Connect(url, redisconn.FailFast, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &bench{T: t, ctx: context.Background(), url: url, redis: client, records: New(client, Options{}), tasks: queue.NewTasks(client)}
}

// markComplete marks the records complete: otherwise nothing is accepted.
func (b *bench) markComplete() {
	b.Helper()
	if err := b.redis.Set(b.ctx, keyComplete, "1", 0).Err(); err != nil {
		b.Fatal(err)
	}
}

func request(id string) provision.Request {
	return provision.Request{StoreID: id, Name: "shop-" + id, Engine: "woocommerce", Namespace: "store-" + id,
		Host: id + ".example.com", StoreURL: "https://" + id + ".example.com", Action: provision.OpProvision}
}

func titled(req provision.Request, title string) provision.Request {
	req.Settings.Title = title
	return req
}

func onHost(req provision.Request, host string) provision.Request {
	req.Host, req.StoreURL = host, "https://"+host
	return req
}

func deletion(id string) provision.Request {
	return provision.Request{StoreID: id, Action: provision.OpDelete}
}

func retaining(id string) provision.Request {
	req := deletion(id)
	req.RetainData = true
	return req
}

func must[T any](t testing.TB, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (b *bench) accept(req provision.Request) queue.Task {
	b.Helper()
	accepted, err := b.records.Requests.Accept(b.ctx, req, generationTimeout)
	return queue.Task{Op: req.Action, StoreID: req.StoreID, Generation: must(b, accepted, err).Generation, Cluster: accepted.Cluster}
}

// refused is the message with which a request is refused; it must be a conflict.
func (b *bench) refused(req provision.Request) string {
	b.Helper()
	_, err := b.records.Requests.Accept(b.ctx, req, generationTimeout)
	if provision.CodeOf(err) != provision.CodeConflict {
		b.Fatalf("accepting %+v: got error %v, want a conflict", req, err)
	}
	return provision.Public(err)
}

func (b *bench) tryAcquire(t queue.Task, token string) AcquireResult {
	b.Helper()
	result, _, err := b.records.Runs.Acquire(b.ctx, t, token, leaseTTL, false)
	return must(b, result, err)
}

func (b *bench) wantAcquire(t queue.Task, want AcquireResult) {
	b.Helper()
	if got := b.tryAcquire(t, "visitor"); got != want {
		b.Fatalf("acquiring for %s %s: %s, want %s", t.Op, t.ID(), got, want)
	}
}

func (b *bench) acquire(t queue.Task, token string) Run {
	b.Helper()
	result, run, err := b.records.Runs.Acquire(b.ctx, t, token, leaseTTL, false)
	if err != nil || result != Acquired {
		b.Fatalf("acquiring for %s %s: %s, %v; want acquired", t.Op, t.ID(), result, err)
	}
	return run
}

func (b *bench) release(run Run, end RunEnd) int {
	b.Helper()
	attempts, err := b.records.Runs.Release(b.ctx, run, end)
	return must(b, attempts, err)
}

// recordOutcome records an outcome and returns the result, and the generation of the store itself that may begin now.
func (b *bench) recordOutcome(run Run, status provision.Status) (OutcomeResult, int64) {
	b.Helper()
	code, text := provision.Code(""), ""
	if !status.Succeeded() {
		code, text = provision.CodeTimeout, "it took too long"
	}
	result, next, err := b.records.Runs.RecordOutcome(b.ctx, run, status, code, text)
	for _, task := range must(b, next, err) {
		if task.StoreID == run.Store.StoreID {
			return result, task.Generation
		}
	}
	return result, 0
}

func (b *bench) wantOutcome(run Run, status provision.Status, want OutcomeResult, wantNext int64) {
	b.Helper()
	if got, next := b.recordOutcome(run, status); got != want || next != wantNext {
		b.Fatalf("%s of generation %d: %s, next %d; want %s, next %d", status, run.Store.Generation, got, next, want, wantNext)
	}
}

// end runs a task to an outcome that has to be recorded.
func (b *bench) end(t queue.Task, status provision.Status) {
	b.Helper()
	run := b.acquire(t, "run-"+t.ID())
	if got, _ := b.recordOutcome(run, status); got != OutcomeRecorded {
		b.Fatalf("%s of %s: %s, want written", status, t.ID(), got)
	}
	b.release(run, RunEnd{Ended: true})
}

// deliver delivers all pending callbacks of a store, and returns them.
func (b *bench) deliver(id string) []Callback {
	b.Helper()
	var delivered []Callback
	for {
		claim, call, err := b.records.Callbacks.Claim(b.ctx, id, "delivery", leaseTTL)
		if must(b, claim, err) != Claimed {
			break
		}
		if err := b.records.Callbacks.MarkDelivered(b.ctx, call); err != nil {
			b.Fatal(err)
		}
		delivered = append(delivered, call)
	}
	if err := b.records.Callbacks.ReleaseClaim(b.ctx, id, "delivery"); err != nil {
		b.Fatal(err)
	}
	return delivered
}

func statuses(calls []Callback) []provision.Status {
	var out []provision.Status
	for _, c := range calls {
		out = append(out, c.Status)
	}
	return out
}

func (b *bench) state(id string) provision.State {
	b.Helper()
	state, ok, err := b.records.Requests.Store(b.ctx, id)
	if err != nil || !ok {
		b.Fatalf("store %s: %v, %v", id, ok, err)
	}
	return state
}

func (b *bench) inspect(id string) Outstanding {
	b.Helper()
	open, err := b.records.Recovery.Inspect(b.ctx, id)
	return must(b, open, err)
}

// outstanding reports whether the sweeper still inspects the store.
func (b *bench) outstanding(id string) bool {
	b.Helper()
	_, err := b.redis.ZScore(b.ctx, keyOutstanding, id).Result()
	if err != nil && err != redis.Nil {
		b.Fatal(err)
	}
	return err == nil
}

func (b *bench) owner(index, key string) string {
	b.Helper()
	owner, err := b.redis.HGet(b.ctx, index, key).Result()
	if err != nil && err != redis.Nil {
		b.Fatal(err)
	}
	return owner
}

// flush is a loss of all data.
func (b *bench) flush() {
	b.Helper()
	if err := redistest.Flush(b.ctx, b.redis); err != nil {
		b.Fatal(err)
	}
}
