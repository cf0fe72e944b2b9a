package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// Runner carries out one operation on one store: [provision.Runner].
type Runner interface {
	Run(ctx context.Context, op provision.Op, s provision.Store, onStep func(provision.Step)) error
}

// Journal keeps what is shown of a store.
type Journal interface {
	Journal(ctx context.Context, storeID string, step provision.Step) error
}

// runs handles the tasks of the queues provision and delete of one cluster.
type runs struct {
	cluster string // "" is the default one
	gate    *gate
	runner  Runner
	speaker *speaker
	journal Journal
	limits  Limits
	metrics *metrics
	log     *slog.Logger
	stop    context.Context // its end stops every run, to be tried again elsewhere
}

var _ asynq.Handler = (*runs)(nil)

// ProcessTask runs the generation that the task names, unless the gate says that there is nothing to run now.
func (h *runs) ProcessTask(ctx context.Context, t *asynq.Task) error {
	task, err := queue.ParseTask(t)
	if err != nil {
		h.log.Error("a task that is not ours was archived", "type", t.Type(), "error", err)
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	task.Cluster = h.cluster
	log := h.log.With("store_id", task.StoreID, "generation", task.Generation, "task_id", task.ID(), "op", task.Op)
	entry, pass, err := h.enter(ctx, task)
	if err != nil {
		return h.again(err, log)
	}
	switch entry {
	case queue.Entered:
		return h.run(ctx, pass, log)
	case queue.Held:
		return h.again(provision.Errorf(provision.CodeBusy, "another run has store %s", task.StoreID), log)
	case queue.Waiting:
		return h.again(provision.Errorf(provision.CodeBusy, "a delete of store %s has to end first", task.StoreID), log)
	case queue.Parked:
		return h.park(task, log)
	case queue.Done:
		h.speaker.speak(ctx, task.StoreID)
	}
	log.Info("nothing to run", "why", entry)
	return nil
}

// enter waits at the gate for as long as the worker is not stopping.
func (h *runs) enter(ctx context.Context, task queue.Task) (queue.Entry, *pass, error) {
	if h.stop.Err() != nil {
		return "", nil, errStopping
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.stop, cancel)()
	entry, pass, err := h.gate.enter(ctx, task)
	if (entry == queue.Held || entry == queue.Waiting) && h.stop.Err() != nil {
		return "", nil, errStopping
	}
	return entry, pass, err
}

// again gives a task back that was not run.
func (h *runs) again(err error, log *slog.Logger) error {
	a := answerTo(err, queue.Run{}, h.limits)
	log.Info("not run now", "code", provision.CodeOf(err), "cause", err, "again_in", a.delay)
	return a.reply(err)
}

// park gives a task back whose store has no place yet. Whoever frees one has it tried at once.
func (h *runs) park(task queue.Task, log *slog.Logger) error {
	h.metrics.parked.Inc()
	a := answer{again: true, delay: pauseInLine(time.Since(time.UnixMilli(task.Generation)))}
	log.Info("waits for a place: its creator has as many new stores under way as allowed", "again_in", a.delay)
	return a.reply(provision.Errorf(provision.CodeBusy, "the creator of store %s has as many new stores under way as allowed", task.StoreID))
}

// run carries the operation out and settles what follows from its end.
func (h *runs) run(ctx context.Context, p *pass, log *slog.Logger) error {
	defer context.AfterFunc(h.stop, func() { p.cancel(errStopping) })()
	// asynq's context ends when the task's asynq lease is lost: somebody else may have the task by now.
	defer context.AfterFunc(ctx, func() { p.cancel(errLeaseLost) })()
	start := time.Now()
	log.Info("run begins", "attempt", p.run.Attempts+1, "crashes", p.run.Crashes)
	h.speakOfEntry(p)
	facts, err := h.attempt(p, log)
	a := answerTo(err, p.run, h.limits)
	if a.tell {
		a, err = h.tell(p, a, facts, err)
	}
	h.gate.leave(p, queue.Exit{Counted: a.counted, Ended: !a.again})
	h.metrics.ran(p.run.Op, err, a, time.Since(start))
	log.Log(context.WithoutCancel(ctx), levelOf(err, a), "run ends", "outcome", outcomeOf(p.run.Op, err, a), "code", codeOrNone(err),
		"cause", err, "ms", time.Since(start).Milliseconds(), "again_in", a.delay)
	return a.reply(err)
}

// speakOfEntry lets the callback be told that the entry may have left, and the stores begin that it has made a place for.
func (h *runs) speakOfEntry(p *pass) {
	if !h.gate.progress && len(p.run.Next) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, redisWait)
	defer cancel()
	h.speaker.speak(ctx, p.run.Store.StoreID, p.run.Next...)
}

// attempt is the run itself, within the limits of time that are left to it. A panic is a failure like others: asynq
// would recover it too, but nobody would leave the gate.
func (h *runs) attempt(p *pass, log *slog.Logger) (facts provision.Facts, err error) {
	defer func() {
		if x := recover(); x != nil {
			log.Error("a run panicked", "panic", x, "stack", string(debug.Stack()))
			err = provision.Errorf(provision.CodeInternal, "the run panicked: %v", x)
		}
	}()
	if p.run.Crashes >= h.limits.MaxCrashes {
		return nil, provision.Errorf(provision.CodeCrash, "the work on this store ended the worker %d times; it is not tried again by itself", p.run.Crashes)
	}
	if p.run.Left <= 0 {
		return nil, errPatience
	}
	ctx, cancel := context.WithTimeoutCause(p.ctx, p.run.Left, errPatience)
	defer cancel()
	ctx, cancel = context.WithTimeoutCause(ctx, h.limits.run(), fmt.Errorf("the run did not end within %s", h.limits.run()))
	defer cancel()
	journal := h.onStep(p, log)
	err = h.runner.Run(provision.WithFence(ctx, p), p.run.Op, p.run.Store, func(step provision.Step) {
		if step.Facts != nil {
			facts = step.Facts
		}
		journal(step)
	})
	return facts, err
}

var errPatience = provision.Errorf(provision.CodeTimeout, "the store was not finished within the time from its acceptance that is allowed")

// tell writes the verdict. A verdict that could not be written is no end: the task is tried again.
func (h *runs) tell(p *pass, a answer, facts provision.Facts, err error) (answer, error) {
	run := p.run
	run.Facts = facts
	status, code, text := p.run.Op.Success(), provision.Code(""), ""
	if err != nil {
		status, code, text = p.run.Op.Failure(), provision.CodeOf(err), provision.Public(err)
	}
	if failed := h.speaker.rule(run, status, code, text); failed != nil {
		return unwritten(failed), failed
	}
	return a, err
}

// onStep journals and logs each step.
func (h *runs) onStep(p *pass, log *slog.Logger) func(provision.Step) {
	return func(step provision.Step) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), redisWait)
		defer cancel()
		if err := h.journal.Journal(ctx, p.run.Store.StoreID, step); err != nil {
			log.Debug("a step was not journalled", "step", step.Name, "error", err)
		}
		if step.State == provision.StepStarted {
			return
		}
		h.metrics.stepped(step)
		log.Info("step", "step", step.Name, "state", step.State, "ms", step.Millis, "code", step.Code, "cause", step.Cause)
	}
}
