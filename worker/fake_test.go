package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/provision/mock"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// records is a record of one store that returns what a test sets, and keeps the calls in order.
type records struct {
	acquire       func(token string) (record.AcquireResult, record.Run, error)
	renew         func(context.Context) (record.RenewResult, error)
	releaseErr    error
	recordOutcome func() (record.OutcomeResult, []queue.Task, error)
	pending       []queue.CallbackTask
	enqueueErr    error // of every enqueueing

	mu       sync.Mutex
	events   []string
	tokens   []string
	renewals []time.Time
	ends     []record.RunEnd
	recorded []recordedOutcome
	outputs  []provision.Outputs // of each outcome
	steps    []provision.Step
	waits    []string
}

type recordedOutcome struct {
	status provision.Status
	code   provision.Code
	text   string
}

func newRecords() *records {
	r := &records{}
	r.acquire = func(token string) (record.AcquireResult, record.Run, error) { return record.Acquired, aRun(token), nil }
	r.renew = func(context.Context) (record.RenewResult, error) { return record.Renewed, nil }
	r.recordOutcome = func() (record.OutcomeResult, []queue.Task, error) { return record.OutcomeRecorded, nil, nil }
	return r
}

func aRun(token string) record.Run {
	return record.Run{Store: aStore(), Op: provision.OpProvision, Token: token, TimeLeft: time.Hour}
}

func aStore() provision.Store {
	return provision.Store{Generation: 7, Request: provision.Request{StoreID: "s", StoreURL: "https://s.example", Action: provision.OpProvision}}
}

func (r *records) note(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

func (r *records) count(event string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if e == event {
			n++
		}
	}
	return n
}

func (r *records) Acquire(ctx context.Context, _ queue.Task, token string, _ time.Duration, _ bool) (record.AcquireResult, record.Run, error) {
	r.note("acquire")
	r.tokens = append(r.tokens, token)
	if ctx.Err() != nil {
		return "", record.Run{}, ctx.Err()
	}
	return r.acquire(token)
}

func (r *records) Renew(ctx context.Context, _ record.Run, _ time.Duration) (record.RenewResult, error) {
	r.note("renew")
	r.mu.Lock()
	r.renewals = append(r.renewals, time.Now())
	renew := r.renew
	r.mu.Unlock()
	return renew(ctx)
}

// renews changes what every renewal from now on is answered.
func (r *records) renews(renew func(context.Context) (record.RenewResult, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.renew = renew
}

func always(answer record.RenewResult) func(context.Context) (record.RenewResult, error) {
	return func(context.Context) (record.RenewResult, error) { return answer, nil }
}

func (r *records) Release(_ context.Context, run record.Run, end record.RunEnd) (int, error) {
	r.note("release " + run.Store.StoreID)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends = append(r.ends, end)
	r.tokens = append(r.tokens, run.Token)
	return 0, r.releaseErr
}

func (r *records) RecordOutcome(ctx context.Context, run record.Run, status provision.Status, code provision.Code, text string) (record.OutcomeResult, []queue.Task, error) {
	r.note("record outcome")
	if ctx.Err() != nil {
		return "", nil, ctx.Err()
	}
	r.recorded = append(r.recorded, recordedOutcome{status, code, text})
	r.outputs = append(r.outputs, run.Outputs)
	return r.recordOutcome()
}

func (r *records) Pending(context.Context, string) ([]queue.CallbackTask, error) {
	return r.pending, nil
}

func (r *records) EnqueueCallback(_ context.Context, t queue.CallbackTask) error {
	r.note("enqueue callback")
	return r.enqueueErr
}

func (r *records) Revive(_ context.Context, t queue.Task, soon bool) error {
	if soon {
		r.note("revive soon " + t.ID())
	} else {
		r.note("revive " + t.ID())
	}
	return r.enqueueErr
}

func (r *records) ReviveCallback(_ context.Context, t queue.CallbackTask, _ bool) error {
	r.note("revive callback")
	return r.enqueueErr
}

func (r *records) NoteWaits(_ context.Context, _ string, text string) error {
	r.waits = append(r.waits, text)
	return errors.New("Redis is away")
}

func (r *records) AppendStep(_ context.Context, _ string, step provision.Step) error {
	r.steps = append(r.steps, step)
	return errors.New("the journal is only shown")
}

// runnerFunc is a runner of one behaviour.
type runnerFunc func(ctx context.Context, onStep func(provision.Step)) error

func (f runnerFunc) Run(ctx context.Context, _ provision.Op, _ provision.Store, onStep func(provision.Step)) error {
	return f(ctx, onStep)
}

// rig is a handler of runs over fakes.
type rig struct {
	*records
	*runHandler
	stopping context.CancelCauseFunc
	text     *bytes.Buffer // the log
}

func newRig(t *testing.T, run runnerFunc) *rig {
	t.Helper()
	r, text := newRecords(), &bytes.Buffer{}
	log := slog.New(slog.NewTextHandler(&lockedWriter{w: text}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	stop, stopping := context.WithCancelCause(context.Background())
	t.Cleanup(func() { stopping(nil) })
	return &rig{records: r, stopping: stopping, text: text, runHandler: &runHandler{leases: newLeaseManager(r, false, log), runner: run,
		outcomes: &outcomeRecorder{r, r, r, mock.ClusterState{}, log}, journal: r, limits: DefaultLimits(), metrics: newMetrics(prometheus.NewRegistry()), log: log, stop: stop}}
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func runTask() *asynq.Task {
	return asynq.NewTask(queue.TypeOf(queue.QueueProvision), []byte(`{"store_id":"s","generation":7}`))
}

// process handles the task and checks that the lease is released exactly once, however the run ends.
func (r *rig) process(t *testing.T, ctx context.Context) *replied {
	t.Helper()
	err := r.ProcessTask(ctx, runTask())
	if n := r.count("release s"); n != 1 {
		t.Errorf("the lease was released %d times", n)
	}
	if len(r.leases.active) != 0 {
		t.Error("the lease manager still has the run")
	}
	return &replied{err}
}

// replied is what asynq gets.
type replied struct{ err error }

func (r *replied) again() bool { _, ok := errors.AsType[*retryError](r.err); return ok }

func (r *replied) counted() bool { return isFailure(r.err) }

func (r *replied) delay() time.Duration { return retryDelay(0, r.err, nil) }

func (r *replied) archived() bool { return errors.Is(r.err, asynq.SkipRetry) }
