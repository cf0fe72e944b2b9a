package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"orchestrator/provision"
	"orchestrator/worker/callback"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
	"orchestrator/worker/tracing"
)

// passwordTimeout is the limit of reading a password.
const passwordTimeout = 10 * time.Second

// claimTTL is longer than anything that one callback may take: reading the password, the POST, closing it, saving it.
const claimTTL = redisTimeout + passwordTimeout + callback.Timeout + 2*redisTimeout + 5*time.Second

// CallbackClaims is the delivery's side of the records.
type CallbackClaims interface {
	Claim(ctx context.Context, storeID, token string, lease time.Duration) (record.ClaimResult, record.Callback, error)
	MarkDelivered(ctx context.Context, c record.Callback) error
	KeepDeadLetter(ctx context.Context, c record.Callback, reason string, forgotten bool) error
	ReleaseClaim(ctx context.Context, storeID, token string) error
}

// DeliveryLog keeps how each delivery went, for people to read: [record.Callbacks].
type DeliveryLog interface {
	NoteDelivery(ctx context.Context, storeID string, a provision.Delivery) error
}

// Passwords is the only way to a store's password, and deliveries of READY its only users. provision.ErrNoCredentials
// means that the store has none any more.
type Passwords interface {
	Password(ctx context.Context, s provision.Store) (string, error)
}

// Sender posts a callback once: [callback.Sender].
type Sender interface {
	Send(ctx context.Context, m callback.Message) callback.Result
}

// Acceptor takes a request as if the backend had posted it, while the generation is the store's newest; else its error has code
// superseded: [intake.Intake].
type Acceptor interface {
	AcceptIf(ctx context.Context, req provision.Request, generation int64) (provision.Accepted, error)
}

// deliveryState saves in the cluster that a callback was delivered: the part of [ClusterState] that deliveries need.
type deliveryState interface {
	SaveDelivered(ctx context.Context, s provision.Store, delivered provision.Status) error
}

// callbackHandler handles the tasks of the queue callback of one cluster. A task delivers all pending callbacks of
// its store, in order, so that a later outcome never overtakes an earlier one.
type callbackHandler struct {
	cluster   string // as in tasks: a cluster's name, or provision.AnyCluster
	claims    CallbackClaims
	kept      DeliveryLog
	queue     Queue
	passwords Passwords
	state     deliveryState
	sender    Sender
	acceptor  Acceptor
	limits    Limits
	metrics   *metrics
	tracer    *tracing.Tracer
	log       *slog.Logger
	stop      context.Context
	now       func() time.Time
}

var _ asynq.Handler = (*callbackHandler)(nil)

// ProcessTask delivers the store's callbacks until none is pending or one has to be tried again.
func (d *callbackHandler) ProcessTask(ctx context.Context, t *asynq.Task) error {
	task, err := queue.ParseCallbackTask(t, d.cluster)
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.stop, func() { cancel(errStopping) })()
	token := rand.Text()
	defer d.releaseClaim(ctx, task.StoreID, token)
	tries, _ := asynq.GetRetryCount(ctx)
	for {
		asked := d.now()
		claim, call, err := d.claims.Claim(ctx, task.StoreID, token, claimTTL)
		switch {
		case ctx.Err() != nil:
			return &retryError{cause: context.Cause(ctx)}
		case err != nil:
			return &retryError{cause: err, delay: uncountedDelay(provision.CodeUnavailable)}
		case claim == record.ClaimEmpty:
			return nil
		case claim == record.ClaimHeld:
			return &retryError{cause: provision.Errorf(provision.CodeBusy, "another delivery has the claim of store %s", task.StoreID), delay: uncountedDelay(provision.CodeBusy)}
		case call.Task().Cluster != d.cluster:
			return d.handOver(ctx, call, token)
		}
		switch err := d.attempt(ctx, call, token, asked, tries); {
		case err != nil && ctx.Err() != nil:
			return &retryError{cause: context.Cause(ctx)}
		case err != nil:
			return err
		}
	}
}

// handOver leaves a callback to its own queue: that of the cluster which holds the password, or the one for any worker. The callbacks after it follow.
func (d *callbackHandler) handOver(ctx context.Context, call record.Callback, token string) error {
	d.releaseClaim(ctx, call.StoreID, token)
	if err := d.queue.ReviveCallback(ctx, call.Task(), true); err != nil {
		return &retryError{cause: err, delay: uncountedDelay(provision.CodeUnavailable)}
	}
	return nil
}

func (d *callbackHandler) releaseClaim(ctx context.Context, storeID, token string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := d.claims.ReleaseClaim(ctx, storeID, token); err != nil {
		d.log.Debug("a claim was not released; it expires", "store_id", storeID, "error", err)
	}
}

// attempt is deliver with a span: in the trace of the request the first time, with a link to it afterwards.
func (d *callbackHandler) attempt(ctx context.Context, call record.Callback, token string, asked time.Time, tries int) error {
	work := tracing.Work{StoreID: call.StoreID, Generation: call.Generation, Cluster: call.Cluster, Queue: queue.On(queue.QueueCallback, d.cluster),
		Trace: call.Trace, First: tries == 0 && call.ReplayedAt == 0}
	ctx, span := d.tracer.Delivery(ctx, work, call.Status, call.ID())
	traced := *d
	traced.log = span.Log(d.log)
	err := traced.deliver(ctx, call, token, asked, tries)
	span.End("", err)
	return err
}

// deliver closes one callback: delivered, a dead letter, or obsolete. An error means that it stays pending and is tried again.
func (d *callbackHandler) deliver(ctx context.Context, call record.Callback, token string, asked time.Time, tries int) error {
	log := d.log.With("store_id", call.StoreID, "generation", call.Generation, "webhook_id", call.ID(), "status", call.Status)
	message, err := d.message(ctx, call)
	if errors.Is(err, provision.ErrNoCredentials) {
		return d.runAgain(ctx, call, token, log)
	}
	if err != nil {
		return d.unreadable(ctx, call, err, tries, log)
	}
	start := d.now()
	if start.Sub(asked) > claimTTL-callback.Timeout {
		// This machine stood still. Another delivery may have the claim, and have delivered a newer callback.
		return &retryError{cause: provision.Errorf(provision.CodeBusy, "the claim of store %s has expired", call.StoreID), delay: uncountedDelay(provision.CodeBusy)}
	}
	result := d.sender.Send(ctx, message)
	if result.Outcome != callback.Delivered && ctx.Err() != nil {
		return &retryError{cause: context.Cause(ctx)}
	}
	took := d.now().Sub(start)
	d.metrics.delivered(call.Status, result.Outcome, took)
	delivery := deliveryOf(call, result, start, took)
	err = d.settle(ctx, call, result, tries, log)
	d.note(ctx, call, delivery, err, log)
	return err
}

// deliveryOf is what is kept of a delivery.
func deliveryOf(call record.Callback, result callback.Result, at time.Time, took time.Duration) provision.Delivery {
	a := provision.Delivery{At: at.UTC(), CallbackID: call.ID(), Generation: call.Generation, Sequence: call.Sequence, Status: call.Status,
		Result: result.Outcome.String(), Millis: took.Milliseconds(), HTTPStatus: result.HTTPStatus, Answer: result.Answer}
	if result.HTTPStatus == 0 {
		a.Reason = result.Reason
	}
	return a
}

// note keeps a delivery, with the time of the next one where err is why there will be one.
func (d *callbackHandler) note(ctx context.Context, call record.Callback, a provision.Delivery, err error, log *slog.Logger) {
	var again *retryError
	if errors.As(err, &again) {
		a.NextAt = d.now().Add(again.delay).UTC()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := d.kept.NoteDelivery(ctx, call.StoreID, a); err != nil {
		log.Debug("a delivery is not kept", "error", err)
	}
}

// unreadable is for a READY whose password cannot be read. It is tried again soon, since its cluster may be back at any time,
// and as long as a callback that the backend does not take; then it is a dead letter.
func (d *callbackHandler) unreadable(ctx context.Context, call record.Callback, err error, tries int, log *slog.Logger) error {
	if ctx.Err() != nil {
		return &retryError{cause: context.Cause(ctx)}
	}
	d.metrics.unreadable()
	reason := "the password of the store cannot be read: " + provision.Public(err)
	delivery := deliveryOf(call, callback.Result{Reason: reason}, d.now(), 0)
	delivery.Result = "unsent"
	if d.expired(call) {
		defer d.note(ctx, call, delivery, nil, log)
		return d.settle(ctx, call, callback.Result{Outcome: callback.Refused, Reason: reason}, tries, log)
	}
	delay := backoff(tries, 5*time.Second, 5*time.Minute)
	log.Warn("callback not sent; tried again", "reason", reason, "cause", err, "again_in", delay)
	again := &retryError{cause: provision.Errorf(provision.CodeUnavailable, "%s was not sent: %s", call.Status, reason), delay: delay, counted: true}
	d.note(ctx, call, delivery, again, log)
	return again
}

// expired reports whether the callback has been tried for long enough. A replayed dead letter has as much time as a new one.
func (d *callbackHandler) expired(call record.Callback) bool {
	return d.now().Sub(time.UnixMilli(max(call.At, call.ReplayedAt))) > d.limits.CallbackMaxAge
}

// settle records what the backend's answer means. A delivered callback that cannot be recorded is delivered again, under the
// same id.
func (d *callbackHandler) settle(ctx context.Context, call record.Callback, result callback.Result, tries int, log *slog.Logger) error {
	if result.Outcome == callback.Delivered && call.Status.Final() && (call.Status != provision.StatusDeleted || call.Store.RetainData) {
		// First in the cluster: a worker that ends in between delivers again, under the same id.
		saveState(ctx, log, call.Store, func(ctx context.Context) error { return d.state.SaveDelivered(ctx, call.Store, call.Status) })
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	tracing.Outcome(ctx, result.Outcome.String())
	var err error
	switch {
	case result.Outcome == callback.Delivered:
		log.Info("callback delivered")
		err = d.claims.MarkDelivered(ctx, call)
	case result.Outcome == callback.Refused, d.expired(call):
		log.Error("callback refused; kept as a dead letter", "reason", result.Reason)
		err = d.claims.KeepDeadLetter(ctx, call, result.Reason, result.Unknown)
	default:
		delay := max(result.After, backoff(tries, 2*time.Second, time.Hour))
		log.Log(ctx, levelOfRefusal(result.Outcome), "callback not delivered; tried again", "reason", result.Reason, "again_in", delay)
		return &retryError{cause: provision.Errorf(provision.CodeUnavailable, "the backend did not take %s: %s", call.Status, result.Reason), delay: delay, counted: true}
	}
	if err != nil {
		return &retryError{cause: err, delay: uncountedDelay(provision.CodeUnavailable)}
	}
	return nil
}

// levelOfRefusal raises what needs a person.
func levelOfRefusal(o callback.Outcome) slog.Level {
	if o == callback.Unauthorized {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func (d *callbackHandler) message(ctx context.Context, call record.Callback) (callback.Message, error) {
	m := callback.Message{ID: call.ID(), StoreID: call.StoreID, Generation: call.Generation, Sequence: call.Sequence,
		Status: call.Status, Error: call.Error}
	if call.Status != provision.StatusReady {
		return m, nil
	}
	m.URL = call.Store.StoreURL
	ctx, cancel := context.WithTimeout(ctx, passwordTimeout)
	defer cancel()
	var err error
	m.Password, err = d.passwords.Password(ctx, call.Store)
	return m, err
}

// runAgain accepts a newer generation of the store, since READY no longer holds without a password. It claims the callback
// once more before: if the password is gone because the store is being deleted, the callback is gone too, and
// a store that its owner has just deleted must not come back.
func (d *callbackHandler) runAgain(ctx context.Context, call record.Callback, token string, log *slog.Logger) error {
	claim, now, err := d.claims.Claim(ctx, call.StoreID, token, claimTTL)
	if err == nil && (claim != record.Claimed || now.ID() != call.ID()) {
		return nil
	}
	if err == nil {
		log.Warn("the password of a store that was ready is gone; the store is run again")
		_, err = d.acceptor.AcceptIf(ctx, call.Store.Request, call.Generation)
	}
	if err != nil {
		return &retryError{cause: err, delay: uncountedDelay(provision.CodeUnavailable)}
	}
	return nil
}
