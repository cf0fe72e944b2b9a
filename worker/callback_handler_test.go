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

// post is the desk that callbacks go over: turns, passwords, the backend and the acceptance of requests, each of
// which does what a test says.
type post struct {
	calls    []record.Callback // left to be told
	held     bool
	turnErr  error
	closeErr []error // of the next closings; nil when used up
	password func(context.Context) (string, error)
	answer   func(context.Context, callback.Message) callback.Result
	accept   error

	sent     []callback.Message
	told     []string
	letters  []buried
	passed   int
	turns    int
	accepted []provision.Request
}

func newPost(calls ...record.Callback) *post {
	return &post{calls: calls,
		password: func(context.Context) (string, error) { return "pass-of-the-owner", nil },
		answer:   func(context.Context, callback.Message) callback.Result { return callback.Result{} }}
}

func (p *post) Claim(context.Context, string, string, time.Duration) (record.ClaimResult, record.Callback, error) {
	p.turns++
	switch {
	case p.turnErr != nil:
		return "", record.Callback{}, p.turnErr
	case p.held:
		return record.ClaimHeld, record.Callback{}, nil
	case len(p.calls) == 0:
		return record.ClaimEmpty, record.Callback{}, nil
	}
	return record.Claimed, p.calls[0], nil
}

func (p *post) shut(c record.Callback) error {
	if len(p.closeErr) > 0 {
		err := p.closeErr[0]
		p.closeErr = p.closeErr[1:]
		return err
	}
	p.told, p.calls = append(p.told, c.ID()), p.calls[1:]
	return nil
}

func (p *post) MarkDelivered(ctx context.Context, c record.Callback) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.shut(c)
}

// buried is a callback that was refused for good.
type buried struct {
	record.Callback
	reason string
}

func (p *post) KeepDeadLetter(_ context.Context, c record.Callback, reason string) error {
	p.letters = append(p.letters, buried{c, reason})
	return p.shut(c)
}

func (p *post) ReleaseClaim(ctx context.Context, _, _ string) error {
	if ctx.Err() == nil {
		p.passed++
	}
	return ctx.Err()
}

func (p *post) Password(ctx context.Context, _ provision.Store) (string, error) {
	return p.password(ctx)
}

func (p *post) Send(ctx context.Context, m callback.Message) callback.Result {
	p.sent = append(p.sent, m)
	return p.answer(ctx, m)
}

func (p *post) Accept(_ context.Context, r provision.Request) (provision.Accepted, error) {
	p.accepted = append(p.accepted, r)
	p.calls = nil // a newer generation: the older READY is stale
	return provision.Accepted{}, p.accept
}

// deliver handles a delivery's task and checks that the turn was given back.
func (p *post) deliver(t *testing.T, ctx, stop context.Context) *replied {
	t.Helper()
	d := &callbackHandler{claims: p, passwords: p, state: mock.ClusterState{}, sender: p, acceptor: p, limits: DefaultLimits(), metrics: newMetrics(prometheus.NewRegistry()),
		log: quiet(), stop: stop, now: time.Now}
	err := d.ProcessTask(ctx, asynq.NewTask(queue.TypeOf(queue.QueueCallback), []byte(`{"store_id":"s","generation":7,"sequence":1}`)))
	if p.passed != 1 {
		t.Errorf("the turn was given back %d times", p.passed)
	}
	return &replied{err}
}

func (p *post) delivered(t *testing.T) *replied {
	t.Helper()
	return p.deliver(t, t.Context(), context.Background())
}

func aCall(sequence int64, status provision.Status) record.Callback {
	return record.Callback{StoreID: "s", Generation: 7, Sequence: sequence, Status: status, At: time.Now().UnixMilli(), Store: aStore()}
}

func TestCallbacksAreToldInOrder(t *testing.T) {
	failed := aCall(1, provision.StatusFailed)
	failed.Error = "image x was not found"
	p := newPost(failed, aCall(2, provision.StatusReady), aCall(3, provision.StatusDeleted))
	if reply := p.delivered(t); reply.err != nil {
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
	if diff := cmp.Diff([]string{"7.1.s", "7.2.s", "7.3.s"}, p.told); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyREADYNeedsThePassword(t *testing.T) {
	p := newPost(aCall(1, provision.StatusProvisioning), aCall(2, provision.StatusFailed), aCall(3, provision.StatusDeleting),
		aCall(4, provision.StatusDeleteFailed), aCall(5, provision.StatusDeleted))
	p.password = func(context.Context) (string, error) { t.Error("it was read"); return "", nil }
	if reply := p.delivered(t); reply.err != nil || len(p.told) != 5 {
		t.Errorf("%v after %v", reply.err, p.told)
	}
}

func TestAnotherDeliveryHasTheTurn(t *testing.T) {
	p := newPost(aCall(1, provision.StatusReady))
	p.held = true
	if reply := p.delivered(t); !reply.again() || reply.counted() || reply.delay() <= 0 || len(p.sent) != 0 {
		t.Errorf("asynq is told %v, sent %v", reply.err, p.sent)
	}
}

func TestTheTurnCannotBeAsked(t *testing.T) {
	p := newPost()
	p.turnErr = provision.Errorf(provision.CodeUnavailable, "Redis does not answer")
	if reply := p.delivered(t); !reply.again() || reply.counted() || reply.delay() <= 0 {
		t.Errorf("asynq is told %v", reply.err)
	}
}

func TestABackendThatDoesNotTakeItIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		result   callback.Result
		from, to time.Duration
	}{
		"again":                  {callback.Result{Outcome: callback.Retry, Reason: "502"}, time.Second, 2 * time.Second},
		"again, with a time":     {callback.Result{Outcome: callback.Retry, Reason: "429", After: time.Minute}, time.Minute, time.Minute},
		"again, with no time":    {callback.Result{Outcome: callback.Retry, Reason: "429", After: time.Millisecond}, time.Second, 2 * time.Second},
		"the token is not known": {callback.Result{Outcome: callback.Unauthorized, Reason: "401"}, time.Second, 2 * time.Second},
	} {
		p := newPost(aCall(1, provision.StatusReady), aCall(2, provision.StatusReady))
		p.answer = func(context.Context, callback.Message) callback.Result { return c.result }
		reply := p.delivered(t)
		if !reply.again() || !reply.counted() || reply.delay() < c.from || reply.delay() > c.to {
			t.Errorf("%s: asynq is told %v, again after %s", name, reply.err, reply.delay())
		}
		if len(p.sent) != 1 || len(p.told)+len(p.letters) != 0 {
			t.Errorf("%s: sent %d, told %v: a later truth overtakes", name, len(p.sent), p.told)
		}
		if !strings.Contains(reply.err.Error(), c.result.Reason) {
			t.Errorf("%s: the web UI shows %q", name, reply.err)
		}
	}
}

func TestARefusedCallbackIsADeadLetterAndTheNextIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := aCall(1, provision.StatusReady)
		p := newPost(refused, aCall(2, provision.StatusDeleted))
		p.answer = func(_ context.Context, m callback.Message) callback.Result {
			if m.Sequence == 1 {
				return callback.Result{Outcome: callback.Refused, Reason: "422 no such store"}
			}
			return callback.Result{}
		}
		if reply := p.delivered(t); reply.err != nil {
			t.Error(reply.err)
		}
		want := []buried{{refused, "422 no such store"}}
		if diff := cmp.Diff(want, p.letters, cmp.AllowUnexported(buried{})); diff != "" || len(p.told) != 2 {
			t.Errorf("told %v, letters:\n%s", p.told, diff)
		}
	})
}

func TestACallbackIsGivenUpInTheEnd(t *testing.T) {
	for age, dead := range map[time.Duration]bool{72*time.Hour - time.Minute: false, 72*time.Hour + time.Minute: true} {
		for _, outcome := range []callback.Outcome{callback.Retry, callback.Unauthorized} {
			call := aCall(1, provision.StatusReady)
			call.At = time.Now().Add(-age).UnixMilli()
			p := newPost(call)
			p.answer = func(context.Context, callback.Message) callback.Result {
				return callback.Result{Outcome: outcome, Reason: "503"}
			}
			if reply := p.delivered(t); reply.again() == dead || (len(p.letters) == 1) != dead {
				t.Errorf("after %s: asynq is told %v, letters %v", age, reply.err, p.letters)
			}
		}
	}
}

// A person has mended the backend: the callback has its days again, however old it is.
func TestALetterThatIsSentAgainIsNotGivenUpAtOnce(t *testing.T) {
	call := aCall(1, provision.StatusReady)
	call.At, call.ReplayedAt = 1, time.Now().Add(-time.Minute).UnixMilli()
	p := newPost(call)
	p.answer = func(context.Context, callback.Message) callback.Result {
		return callback.Result{Outcome: callback.Retry, Reason: "503"}
	}
	if reply := p.delivered(t); !reply.again() || len(p.letters) != 0 {
		t.Errorf("asynq is told %v, letters %v", reply.err, p.letters)
	}
}

func TestAnOldCallbackThatIsTakenIsTold(t *testing.T) {
	call := aCall(1, provision.StatusReady)
	call.At = 1
	p := newPost(call)
	if reply := p.delivered(t); reply.err != nil || len(p.letters) != 0 || len(p.told) != 1 {
		t.Errorf("asynq is told %v, letters %v", reply.err, p.letters)
	}
}

func TestToldButNotRecordedIsToldAgainUnderTheSameID(t *testing.T) {
	p := newPost(aCall(1, provision.StatusReady))
	p.closeErr = []error{provision.Errorf(provision.CodeUnavailable, "Redis does not answer")}
	if reply := p.delivered(t); !reply.again() || reply.counted() || reply.delay() <= 0 {
		t.Errorf("asynq is told %v", reply.err)
	}
	p.passed = 0
	if reply := p.delivered(t); reply.err != nil {
		t.Error(reply.err)
	}
	if len(p.sent) != 2 || p.sent[0] != p.sent[1] {
		t.Errorf("sent %+v", p.sent)
	}
}

func TestAPasswordThatCannotBeReadNowIsReadLater(t *testing.T) {
	p := newPost(aCall(1, provision.StatusReady))
	p.password = func(context.Context) (string, error) { return "", errors.New("the API server is away") }
	if reply := p.delivered(t); !reply.again() || reply.counted() || reply.delay() <= 0 || len(p.sent)+len(p.accepted) != 0 {
		t.Errorf("asynq is told %v, sent %v, accepted %v", reply.err, p.sent, p.accepted)
	}
}

// An API server that hangs must not let the turn run out under the POST.
func TestReadingAPasswordHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(aCall(1, provision.StatusReady))
		p.password = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		start := time.Now()
		if reply := p.delivered(t); !reply.again() || time.Since(start) != passwordTimeout {
			t.Errorf("after %s asynq is told %v", time.Since(start), reply.err)
		}
	})
}

func gone(context.Context) (string, error) { return "", provision.ErrNoCredentials }

func TestAStoreThatHasLostItsPasswordIsRunAgain(t *testing.T) {
	p := newPost(aCall(1, provision.StatusReady))
	p.password = gone
	if reply := p.delivered(t); reply.err != nil || len(p.sent) != 0 {
		t.Errorf("asynq is told %v, sent %v", reply.err, p.sent)
	}
	if diff := cmp.Diff([]provision.Request{aStore().Request}, p.accepted); diff != "" {
		t.Error(diff)
	}
}

func TestARunAgainThatIsNotAcceptedIsTriedAgain(t *testing.T) {
	p := newPost(aCall(1, provision.StatusReady))
	p.password, p.accept = gone, provision.Errorf(provision.CodeUnavailable, "Redis does not answer")
	if reply := p.delivered(t); !reply.again() || reply.counted() {
		t.Errorf("asynq is told %v", reply.err)
	}
}

// The password is gone because the store has been deleted meanwhile. It must not come back.
func TestAStoreThatWasDeletedMeanwhileIsNotRunAgain(t *testing.T) {
	p := newPost(aCall(1, provision.StatusReady))
	p.password = func(context.Context) (string, error) {
		p.calls = []record.Callback{aCall(2, provision.StatusDeleted)} // READY of the older generation is stale
		return "", provision.ErrNoCredentials
	}
	if reply := p.delivered(t); reply.err != nil || len(p.accepted) != 0 {
		t.Errorf("asynq is told %v, accepted %v", reply.err, p.accepted)
	}
	if diff := cmp.Diff([]string{"7.2.s"}, p.told); diff != "" {
		t.Error(diff)
	}
}

func TestADeliveryOfNothingIsDone(t *testing.T) {
	p := newPost()
	if reply := p.delivered(t); reply.err != nil || len(p.sent) != 0 {
		t.Errorf("asynq is told %v", reply.err)
	}
}

func TestStrangersAmongCallbacksAreArchived(t *testing.T) {
	d := &callbackHandler{}
	for _, payload := range []string{"", "{}", `{"generation":1}`} {
		if err := d.ProcessTask(t.Context(), asynq.NewTask(queue.TypeOf(queue.QueueCallback), []byte(payload))); !errors.Is(err, asynq.SkipRetry) {
			t.Errorf("%q: asynq is told %v", payload, err)
		}
	}
}

// A machine that stood still after it was given the turn must not speak out of turn: others have told what is newer.
func TestATurnThatIsOverIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(aCall(1, provision.StatusReady))
		p.password = func(context.Context) (string, error) { time.Sleep(claimTTL); return "pass-of-the-owner", nil }
		if reply := p.delivered(t); !reply.again() || reply.counted() || len(p.sent) != 0 {
			t.Errorf("asynq is told %v, sent %v", reply.err, p.sent)
		}
	})
}
