package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
	"orchestrator/provision/mock"
	"orchestrator/worker/callback"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// deliveryFakes is what a delivery needs: claims, passwords, the backend and the acceptance of requests, each of
// which does what a test says.
type deliveryFakes struct {
	pending   []record.Callback
	held      bool
	claimErr  error
	closeErr  []error // of the next closings; nil when used up
	password  func(context.Context) (string, error)
	answer    func(context.Context, callback.Message) callback.Result
	acceptErr error

	sent        []callback.Message
	closed      []string
	deadLetters []deadLetter
	noted       []provision.Delivery
	released    int
	claims      int
	accepted    []provision.Request
}

func newDeliveryFakes(calls ...record.Callback) *deliveryFakes {
	return &deliveryFakes{pending: calls,
		password: func(context.Context) (string, error) { return "pass-of-the-owner", nil },
		answer:   func(context.Context, callback.Message) callback.Result { return callback.Result{} }}
}

func (p *deliveryFakes) Claim(context.Context, string, string, time.Duration) (record.ClaimResult, record.Callback, error) {
	p.claims++
	switch {
	case p.claimErr != nil:
		return "", record.Callback{}, p.claimErr
	case p.held:
		return record.ClaimHeld, record.Callback{}, nil
	case len(p.pending) == 0:
		return record.ClaimEmpty, record.Callback{}, nil
	}
	return record.Claimed, p.pending[0], nil
}

func (p *deliveryFakes) NoteDelivery(_ context.Context, _ string, d provision.Delivery) error {
	p.noted = append(p.noted, d)
	return errors.New("Redis is away")
}

func (p *deliveryFakes) close(c record.Callback) error {
	if len(p.closeErr) > 0 {
		err := p.closeErr[0]
		p.closeErr = p.closeErr[1:]
		return err
	}
	p.closed, p.pending = append(p.closed, c.ID()), p.pending[1:]
	return nil
}

func (p *deliveryFakes) MarkDelivered(ctx context.Context, c record.Callback) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.close(c)
}

// deadLetter is a callback that was refused for good.
type deadLetter struct {
	record.Callback
	reason string
}

func (p *deliveryFakes) KeepDeadLetter(_ context.Context, c record.Callback, reason string, forgotten bool) error {
	p.deadLetters = append(p.deadLetters, deadLetter{c, reason})
	return p.close(c)
}

func (p *deliveryFakes) ReleaseClaim(ctx context.Context, _, _ string) error {
	if ctx.Err() == nil {
		p.released++
	}
	return ctx.Err()
}

func (p *deliveryFakes) Password(ctx context.Context, _ provision.Store) (string, error) {
	return p.password(ctx)
}

func (p *deliveryFakes) Send(ctx context.Context, m callback.Message) callback.Result {
	p.sent = append(p.sent, m)
	return p.answer(ctx, m)
}

func (p *deliveryFakes) AcceptIf(_ context.Context, r provision.Request, _ int64) (provision.Accepted, error) {
	p.accepted = append(p.accepted, r)
	p.pending = nil // a newer generation: the older READY is stale
	return provision.Accepted{}, p.acceptErr
}

// processUntil handles a delivery's task and checks that the claim was released.
func (p *deliveryFakes) processUntil(t *testing.T, ctx, stop context.Context) *replied {
	t.Helper()
	d := &callbackHandler{claims: p, kept: p, passwords: p, state: mock.ClusterState{}, sender: p, acceptor: p, limits: DefaultLimits(), metrics: newMetrics(prometheus.NewRegistry()),
		log: quiet(), stop: stop, now: time.Now}
	err := d.ProcessTask(ctx, asynq.NewTask(queue.TypeOf(queue.QueueCallback), []byte(`{"store_id":"s","generation":7,"sequence":1}`)))
	if p.released != 1 {
		t.Errorf("the claim was released %d times", p.released)
	}
	return &replied{err}
}

func (p *deliveryFakes) process(t *testing.T) *replied {
	t.Helper()
	return p.processUntil(t, t.Context(), context.Background())
}

func aCallback(sequence int64, status provision.Status) record.Callback {
	return record.Callback{StoreID: "s", Generation: 7, Sequence: sequence, Status: status, At: time.Now().UnixMilli(), Store: aStore()}
}

func TestCallbackHandlerDeliversInOrder(t *testing.T) {
	failed := aCallback(1, provision.StatusFailed)
	failed.Error = "image x was not found"
	p := newDeliveryFakes(failed, aCallback(2, provision.StatusReady), aCallback(3, provision.StatusDeleted))
	if reply := p.process(t); reply.err != nil {
		t.Error(reply.err)
	}
	want := []callback.Message{
		{ID: "7.1.s", StoreID: "s", Generation: 7, Sequence: 1, Status: provision.StatusFailed, Error: "image x was not found"},
		{ID: "7.2.s", StoreID: "s", Generation: 7, Sequence: 2, Status: provision.StatusReady, URL: "https://s.example", Password: "pass-of-the-owner"},
		{ID: "7.3.s", StoreID: "s", Generation: 7, Sequence: 3, Status: provision.StatusDeleted},
	}
	if diff := cmp.Diff(want, p.sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"7.1.s", "7.2.s", "7.3.s"}, p.closed); diff != "" {
		t.Error(diff)
	}
}

func TestCallbackHandlerReadsThePasswordForREADYOnly(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusProvisioning), aCallback(2, provision.StatusFailed), aCallback(3, provision.StatusDeleting),
		aCallback(4, provision.StatusDeleteFailed), aCallback(5, provision.StatusDeleted))
	p.password = func(context.Context) (string, error) { t.Error("it was read"); return "", nil }
	if reply := p.process(t); reply.err != nil || len(p.closed) != 5 {
		t.Errorf("%v after %v", reply.err, p.closed)
	}
}

func TestCallbackHandlerComesBackWhenTheClaimIsHeld(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusReady))
	p.held = true
	if reply := p.process(t); !reply.again() || reply.counted() || reply.delay() <= 0 || len(p.sent) != 0 {
		t.Errorf("asynq gets %v, sent %v", reply.err, p.sent)
	}
}

func TestCallbackHandlerComesBackWhenTheClaimFails(t *testing.T) {
	p := newDeliveryFakes()
	p.claimErr = provision.Errorf(provision.CodeUnavailable, "Redis does not answer")
	if reply := p.process(t); !reply.again() || reply.counted() || reply.delay() <= 0 {
		t.Errorf("asynq gets %v", reply.err)
	}
}

func TestCallbackHandlerRetriesWhatTheBackendDoesNotTake(t *testing.T) {
	for name, c := range map[string]struct {
		result   callback.Result
		from, to time.Duration
	}{
		"again":                  {callback.Result{Outcome: callback.Retry, Reason: "502"}, time.Second, 2 * time.Second},
		"again, with a time":     {callback.Result{Outcome: callback.Retry, Reason: "429", After: time.Minute}, time.Minute, time.Minute},
		"again, with no time":    {callback.Result{Outcome: callback.Retry, Reason: "429", After: time.Millisecond}, time.Second, 2 * time.Second},
		"the token is not known": {callback.Result{Outcome: callback.Unauthorized, Reason: "401"}, time.Second, 2 * time.Second},
	} {
		p := newDeliveryFakes(aCallback(1, provision.StatusReady), aCallback(2, provision.StatusReady))
		p.answer = func(context.Context, callback.Message) callback.Result { return c.result }
		reply := p.process(t)
		if !reply.again() || !reply.counted() || reply.delay() < c.from || reply.delay() > c.to {
			t.Errorf("%s: asynq gets %v, again after %s", name, reply.err, reply.delay())
		}
		if len(p.sent) != 1 || len(p.closed)+len(p.deadLetters) != 0 {
			t.Errorf("%s: sent %d, delivered %v: a later callback overtakes", name, len(p.sent), p.closed)
		}
		if !strings.Contains(reply.err.Error(), c.result.Reason) {
			t.Errorf("%s: the web UI shows %q", name, reply.err)
		}
	}
}

func TestCallbackHandlerKeepsADeadLetterAndDeliversTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := aCallback(1, provision.StatusReady)
		p := newDeliveryFakes(refused, aCallback(2, provision.StatusDeleted))
		p.answer = func(_ context.Context, m callback.Message) callback.Result {
			if m.Sequence == 1 {
				return callback.Result{Outcome: callback.Refused, Reason: "422 no such store"}
			}
			return callback.Result{}
		}
		if reply := p.process(t); reply.err != nil {
			t.Error(reply.err)
		}
		want := []deadLetter{{refused, "422 no such store"}}
		if diff := cmp.Diff(want, p.deadLetters, cmp.AllowUnexported(deadLetter{})); diff != "" || len(p.closed) != 2 {
			t.Errorf("delivered %v, dead letters:\n%s", p.closed, diff)
		}
	})
}

func TestCallbackHandlerGivesUpAfterTheMaximumAge(t *testing.T) {
	for age, dead := range map[time.Duration]bool{72*time.Hour - time.Minute: false, 72*time.Hour + time.Minute: true} {
		for _, outcome := range []callback.Outcome{callback.Retry, callback.Unauthorized} {
			call := aCallback(1, provision.StatusReady)
			call.At = time.Now().Add(-age).UnixMilli()
			p := newDeliveryFakes(call)
			p.answer = func(context.Context, callback.Message) callback.Result {
				return callback.Result{Outcome: outcome, Reason: "503"}
			}
			if reply := p.process(t); reply.again() == dead || (len(p.deadLetters) == 1) != dead {
				t.Errorf("after %s: asynq gets %v, dead letters %v", age, reply.err, p.deadLetters)
			}
		}
	}
}

// An operator has repaired the backend: a replayed callback is tried for the whole time again, however old it is.
func TestCallbackHandlerDoesNotGiveUpAReplayAtOnce(t *testing.T) {
	call := aCallback(1, provision.StatusReady)
	call.At, call.ReplayedAt = 1, time.Now().Add(-time.Minute).UnixMilli()
	p := newDeliveryFakes(call)
	p.answer = func(context.Context, callback.Message) callback.Result {
		return callback.Result{Outcome: callback.Retry, Reason: "503"}
	}
	if reply := p.process(t); !reply.again() || len(p.deadLetters) != 0 {
		t.Errorf("asynq gets %v, dead letters %v", reply.err, p.deadLetters)
	}
}

func TestCallbackHandlerDeliversAnOldCallback(t *testing.T) {
	call := aCallback(1, provision.StatusReady)
	call.At = 1
	p := newDeliveryFakes(call)
	if reply := p.process(t); reply.err != nil || len(p.deadLetters) != 0 || len(p.closed) != 1 {
		t.Errorf("asynq gets %v, dead letters %v", reply.err, p.deadLetters)
	}
}

func TestCallbackHandlerDeliversAgainUnderTheSameIDWhatWasNotRecorded(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusReady))
	p.closeErr = []error{provision.Errorf(provision.CodeUnavailable, "Redis does not answer")}
	if reply := p.process(t); !reply.again() || reply.counted() || reply.delay() <= 0 {
		t.Errorf("asynq gets %v", reply.err)
	}
	p.released = 0
	if reply := p.process(t); reply.err != nil {
		t.Error(reply.err)
	}
	if len(p.sent) != 2 || p.sent[0] != p.sent[1] {
		t.Errorf("sent %+v", p.sent)
	}
}

func TestCallbackHandlerReadsThePasswordLater(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusReady))
	p.password = func(context.Context) (string, error) { return "", errors.New("the API server is away") }
	if reply := p.process(t); !reply.again() || !reply.counted() || reply.delay() <= 0 || len(p.sent)+len(p.accepted) != 0 {
		t.Errorf("asynq gets %v, sent %v, accepted %v", reply.err, p.sent, p.accepted)
	}
}

func TestCallbackHandlerGivesUpAPasswordAfterTheMaximumAge(t *testing.T) {
	call := aCallback(1, provision.StatusReady)
	call.At = time.Now().Add(-73 * time.Hour).UnixMilli()
	p := newDeliveryFakes(call)
	p.password = func(context.Context) (string, error) {
		return "", provision.Errorf(provision.CodeUnavailable, "the Kubernetes API did not answer the request to read secret store-credentials")
	}
	reply := p.process(t)
	const reason = "the password of the store cannot be read: the Kubernetes API did not answer the request to read secret store-credentials"
	if reply.err != nil || len(p.sent) != 0 || len(p.deadLetters) != 1 || p.deadLetters[0].reason != reason {
		t.Errorf("asynq gets %v, sent %v, dead letters %v", reply.err, p.sent, p.deadLetters)
	}
}

// An API server that hangs must not let the claim expire during the POST.
func TestCallbackHandlerLimitsReadingThePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDeliveryFakes(aCallback(1, provision.StatusReady))
		p.password = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		start := time.Now()
		if reply := p.process(t); !reply.again() || time.Since(start) != passwordTimeout {
			t.Errorf("after %s asynq gets %v", time.Since(start), reply.err)
		}
	})
}

func noCredentials(context.Context) (string, error) { return "", provision.ErrNoCredentials }

func TestCallbackHandlerRunsAStoreWithoutPasswordAgain(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusReady))
	p.password = noCredentials
	if reply := p.process(t); reply.err != nil || len(p.sent) != 0 {
		t.Errorf("asynq gets %v, sent %v", reply.err, p.sent)
	}
	if diff := cmp.Diff([]provision.Request{aStore().Request}, p.accepted); diff != "" {
		t.Error(diff)
	}
}

func TestCallbackHandlerRetriesARunThatWasNotAccepted(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusReady))
	p.password, p.acceptErr = noCredentials, provision.Errorf(provision.CodeUnavailable, "Redis does not answer")
	if reply := p.process(t); !reply.again() || reply.counted() {
		t.Errorf("asynq gets %v", reply.err)
	}
}

// The password is gone because the store has been deleted meanwhile. It must not come back.
func TestCallbackHandlerDoesNotRunADeletedStoreAgain(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusReady))
	p.password = func(context.Context) (string, error) {
		p.pending = []record.Callback{aCallback(2, provision.StatusDeleted)} // READY of the older generation is stale
		return "", provision.ErrNoCredentials
	}
	if reply := p.process(t); reply.err != nil || len(p.accepted) != 0 {
		t.Errorf("asynq gets %v, accepted %v", reply.err, p.accepted)
	}
	if diff := cmp.Diff([]string{"7.2.s"}, p.closed); diff != "" {
		t.Error(diff)
	}
}

func TestCallbackHandlerIsDoneWithoutCallbacks(t *testing.T) {
	p := newDeliveryFakes()
	if reply := p.process(t); reply.err != nil || len(p.sent) != 0 {
		t.Errorf("asynq gets %v", reply.err)
	}
}

func TestCallbackHandlerArchivesForeignTasks(t *testing.T) {
	d := &callbackHandler{}
	for _, payload := range []string{"", "{}", `{"generation":1}`} {
		if err := d.ProcessTask(t.Context(), asynq.NewTask(queue.TypeOf(queue.QueueCallback), []byte(payload))); !errors.Is(err, asynq.SkipRetry) {
			t.Errorf("%q: asynq gets %v", payload, err)
		}
	}
}

// A machine that stood still after its claim must not deliver: another delivery may have delivered what is newer.
func TestCallbackHandlerDoesNotUseAnExpiredClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDeliveryFakes(aCallback(1, provision.StatusReady))
		p.password = func(context.Context) (string, error) { time.Sleep(claimTTL); return "pass-of-the-owner", nil }
		if reply := p.process(t); !reply.again() || reply.counted() || len(p.sent) != 0 {
			t.Errorf("asynq gets %v, sent %v", reply.err, p.sent)
		}
	})
}
