package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/tracing"
)

// Runner carries out one operation on one store: [provision.Runner].
type Runner interface {
	Run(ctx context.Context, op provision.Op, s provision.Store, onStep func(provision.Step)) error
}

// Journal keeps what is shown of a store.
type Journal interface {
	AppendStep(ctx context.Context, storeID string, step provision.Step) error
	NoteWaits(ctx context.Context, storeID, text string) error
}

// runHandler handles the tasks of the queues provision and delete of one cluster.
type runHandler struct {
	cluster  string // "" is the default one
	leases   *leaseManager
	runner   Runner
	outcomes *outcomeRecorder
	journal  Journal
	limits   Limits
	metrics  *metrics
	tracer   *tracing.Tracer
	log      *slog.Logger
	stop     context.Context // its end stops every run, to be tried again elsewhere
}

var _ asynq.Handler = (*runHandler)(nil)

// ProcessTask runs the generation that the task names, unless there is nothing to run now.
func (h *runHandler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	task, err := queue.ParseTask(t, h.cluster)
	if err != nil {
		h.log.Error("a task of another program was archived", "type", t.Type(), "error", err)
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	log := h.log.With("store_id", task.StoreID, "generation", task.Generation, "task_id", task.ID(), "op", task.Op)
	begun := time.Now()
	result, lease, err := h.acquire(ctx, task)
	if err != nil {
		h.metrics.retried(task.Op, err)
		return h.retryLater(ctx, err, log)
	}
	switch result {
	case record.Acquired:
		lease.span = h.startSpan(begun, task, lease.run)
		return h.run(ctx, lease, lease.span.Log(log))
	case record.AcquireHeld:
		return h.retryLater(ctx, provision.Errorf(provision.CodeBusy, "another run has store %s", task.StoreID), log)
	case record.AcquireWaiting:
		return h.retryLater(ctx, provision.Errorf(provision.CodeBusy, "a delete of store %s has to end first", task.StoreID), log)
	case record.AcquireThrottled:
		return h.throttle(task, log)
	case record.AcquireOnHold:
		log.Info("on hold: stores of several creators have failed for one cause")
		return onHold().reply(errOnHold)
	case record.AcquireDone:
		h.outcomes.enqueueCallbacks(ctx, task.StoreID)
	case record.AcquireOtherCluster, record.AcquireSuperseded, record.AcquireNoRecord:
	}
	log.Info("nothing to run", "reason", result)
	return nil
}

// startSpan begins the span of a run, in the trace of its request where it is the first one.
func (h *runHandler) startSpan(begun time.Time, t queue.Task, run record.Run) tracing.Span {
	work := tracing.Work{StoreID: t.StoreID, Generation: t.Generation, Cluster: t.Cluster, Queue: t.Queue(), Trace: run.Trace, First: run.First}
	return h.tracer.Run(begun, work, run.Op, run.Store.Engine, run.Attempts+1)
}

// acquire waits for the store's lease until the worker stops.
func (h *runHandler) acquire(ctx context.Context, task queue.Task) (record.AcquireResult, *lease, error) {
	if h.stop.Err() != nil {
		return "", nil, errStopping
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.stop, cancel)()
	start := time.Now()
	result, lease, err := h.leases.acquire(ctx, task)
	h.metrics.waited(task.Op, time.Since(start))
	if (result == record.AcquireHeld || result == record.AcquireWaiting) && h.stop.Err() != nil {
		return "", nil, errStopping
	}
	return result, lease, err
}

// retryLater gives a task back that was not run. An unexpected error is tried again with a growing delay; it ends nothing, since without
// the lease no outcome can be recorded.
func (h *runHandler) retryLater(ctx context.Context, err error, log *slog.Logger) error {
	tries, _ := asynq.GetRetryCount(ctx)
	a := decide(err, record.Run{Attempts: min(tries, h.limits.MaxAttempts-2)}, h.limits)
	log.Info("not run now", "code", provision.CodeOf(err), "cause", err, "again_in", a.delay)
	return a.reply(err)
}

// throttle gives a task back whose store has no slot yet. The run that frees one has it tried at once.
func (h *runHandler) throttle(task queue.Task, log *slog.Logger) error {
	h.metrics.throttled.Inc()
	a := decision{retry: true, delay: throttleDelay(time.Since(time.UnixMilli(task.Generation)))}
	log.Info("throttled: the creator has as many new stores in progress as allowed", "again_in", a.delay)
	return a.reply(provision.Errorf(provision.CodeBusy, "the creator of store %s has as many new stores in progress as allowed", task.StoreID))
}

// run carries the operation out and records what follows from its end.
func (h *runHandler) run(ctx context.Context, p *lease, log *slog.Logger) error {
	defer context.AfterFunc(h.stop, func() { p.cancel(errStopping) })()
	// asynq's context ends when the task's asynq lease is lost: another worker may have the task by now.
	defer context.AfterFunc(ctx, func() { p.cancel(errLeaseLost) })()
	start := time.Now()
	log.Info("run begins", "attempt", p.run.Attempts+1, "crashes", p.run.Crashes)
	h.announceStart(p)
	result, err := h.attempt(p, log)
	a := decide(err, p.run, h.limits)
	if a.final {
		a, err = h.recordOutcome(p, a, result, err)
	}
	h.leases.release(p, record.RunEnd{Counted: a.counted, Ended: !a.retry, Again: a.delay})
	p.span.End(outcomeOf(p.run, err, a), err)
	h.metrics.ran(p.run, err, a, time.Since(start))
	log.Log(context.WithoutCancel(ctx), levelOf(err, a), "run ends", "outcome", outcomeOf(p.run, err, a), "code", codeOrNone(err),
		"cause", err, "ms", time.Since(start).Milliseconds(), "again_in", a.delay)
	return a.reply(err)
}

// announceStart enqueues the progress callback of a run that begins, and the runs that it has freed a slot for.
func (h *runHandler) announceStart(p *lease) {
	if !h.leases.progress && len(p.run.Next) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(p.span.Context(p.ctx), redisTimeout)
	defer cancel()
	h.outcomes.enqueueCallbacks(ctx, p.run.Store.StoreID, p.run.Next...)
}

// runResult is what a run has made, besides the store.
type runResult struct {
	outputs provision.Outputs
	applied provision.Applied
}

// attempt is the run itself, within the limits of time that are left to it. A panic is a failure like others: asynq
// would recover it too, but the lease would not be released.
func (h *runHandler) attempt(p *lease, log *slog.Logger) (result runResult, err error) {
	defer func() {
		if x := recover(); x != nil {
			log.Error("a run panicked", "panic", x, "stack", string(debug.Stack()))
			err = provision.Errorf(provision.CodeInternal, "the run panicked: %v", x)
		}
	}()
	if p.run.Crashes >= h.limits.MaxCrashes {
		return result, provision.Errorf(provision.CodeCrash, "the work on this store ended the worker %d times; it is not tried again by itself", p.run.Crashes)
	}
	if p.run.TimeLeft <= 0 {
		return result, errGenerationTimeout
	}
	ctx, cancel := context.WithTimeoutCause(p.span.Context(p.ctx), p.run.TimeLeft, errGenerationTimeout)
	defer cancel()
	limit := h.limits.runOf(p.run.Store)
	ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("the run did not end within %s", limit))
	defer cancel()
	journal := h.onStep(p, log)
	ctx = provision.WithWaits(ctx, h.tellWaits(p, log))
	err = h.runner.Run(provision.WithFence(ctx, p), p.run.Op, p.run.Store, func(step provision.Step) {
		if step.Outputs != nil {
			result.outputs = step.Outputs
		}
		if step.Applied != (provision.Applied{}) {
			result.applied = step.Applied
		}
		journal(step)
	})
	return result, err
}

var errGenerationTimeout = provision.Errorf(provision.CodeTimeout, "the store was not finished within the time allowed from its acceptance")

// recordOutcome records the outcome. If that fails, the task is tried again.
func (h *runHandler) recordOutcome(p *lease, a decision, made runResult, err error) (decision, error) {
	run := p.run
	run.Outputs, run.Edition, run.Outdated = made.outputs, made.applied.Edition, made.applied.Outdated
	run.RestoreRefused = errors.Is(err, provision.ErrRestoreRefused)
	status, code, text := p.run.Store.Success(p.run.Op), provision.Code(""), ""
	if err != nil {
		status, code, text = p.run.Op.Failure(), provision.CodeOf(err), provision.Public(err)
	}
	result, failed := h.outcomes.record(p.span.Context(p.ctx), run, status, code, text)
	if failed != nil {
		return unrecorded(failed), failed
	}
	if result == record.OutcomeOnHold {
		return onHold(), err
	}
	if result == record.OutcomeRecorded {
		h.metrics.ended(run, status, code)
	}
	a.nextCluster = result == record.OutcomeNextCluster
	return a, err
}

// onStep journals and logs each step. The first entry says whose request the run is for.
func (h *runHandler) onStep(p *lease, log *slog.Logger) func(provision.Step) {
	begun := false
	return func(step provision.Step) {
		if !begun {
			begun, step.RequestedBy, step.RequestID = true, p.run.RequestedBy, p.run.RequestID
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), redisTimeout)
		defer cancel()
		if err := h.journal.AppendStep(ctx, p.run.Store.StoreID, step); err != nil {
			log.Debug("a step was not journalled", "step", step.Name, "error", err)
		}
		if step.State == provision.StepStarted {
			return
		}
		h.metrics.stepped(p.run.Store, step)
		log.Info("step", "step", step.Name, "state", step.State, "ms", step.Millis, "code", step.Code, "cause", step.Cause)
	}
}

// waitsEvery is how often it is kept what a run waits for; the end of a wait is kept at once.
const waitsEvery = 2 * time.Second

// tellWaits keeps what a run waits for, for people to read.
func (h *runHandler) tellWaits(p *lease, log *slog.Logger) func(string) {
	w := &waits{keep: func(text string) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), redisTimeout)
		defer cancel()
		if err := h.journal.NoteWaits(ctx, p.run.Store.StoreID, text); err != nil {
			log.Debug("what the run waits for was not kept", "error", err)
		}
	}}
	return w.tell
}

// waits keeps the newest text that it is told, but not each: what a wait begins with changes often, and what it comes to may not change for minutes.
type waits struct {
	keep func(text string)

	mu     sync.Mutex
	newest string
	kept   string
	at     time.Time
	later  *time.Timer
}

// tell keeps the text, or has it kept when the last one is old enough. "" ends the wait: nothing is kept after it.
func (w *waits) tell(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.newest = text
	left := waitsEvery - time.Since(w.at)
	if text == "" || left <= 0 {
		w.keepNewest()
	} else if w.later == nil {
		w.later = time.AfterFunc(left, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.keepNewest()
		})
	}
}

// keepNewest is called with the lock held.
func (w *waits) keepNewest() {
	if w.later != nil {
		w.later.Stop()
		w.later = nil
	}
	if w.newest != w.kept {
		w.kept, w.at = w.newest, time.Now()
		w.keep(w.newest)
	}
}
