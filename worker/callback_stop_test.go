package worker

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/callback"
)

func TestStoppingDuringAPOSTGivesTheTaskBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, stopping := context.WithCancelCause(context.Background())
		call := aCall(1, provision.StatusReady)
		call.At = 1 // even one that is to be given up
		p := newPost(call)
		p.answer = func(ctx context.Context, _ callback.Message) callback.Result {
			stopping(errStopping)
			<-ctx.Done()
			return callback.Result{Outcome: callback.Retry, Reason: "cancelled"}
		}
		reply := p.deliver(t, t.Context(), stop)
		if !reply.again() || reply.counted() || reply.delay() != 0 || len(p.told)+len(p.letters) != 0 {
			t.Errorf("asynq is told %v, told %v, letters %v", reply.err, p.told, p.letters)
		}
	})
}

func TestStoppingWhileThePasswordIsReadGivesTheTaskBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, stopping := context.WithCancelCause(context.Background())
		p := newPost(aCall(1, provision.StatusReady))
		p.password = func(ctx context.Context) (string, error) {
			stopping(errStopping)
			<-ctx.Done()
			return "", ctx.Err()
		}
		if reply := p.deliver(t, t.Context(), stop); !reply.again() || reply.counted() || reply.delay() != 0 {
			t.Errorf("asynq is told %v, again after %s", reply.err, reply.delay())
		}
	})
}

// The backend has taken it: that has to be recorded, whatever ended meanwhile.
func TestWhatWasTakenWhileStoppingIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, stopping := context.WithCancelCause(context.Background())
		p := newPost(aCall(1, provision.StatusReady), aCall(2, provision.StatusDeleted))
		p.answer = func(ctx context.Context, _ callback.Message) callback.Result {
			stopping(errStopping)
			<-ctx.Done()
			p.turnErr = ctx.Err()
			return callback.Result{}
		}
		reply := p.deliver(t, t.Context(), stop)
		if diff := cmp.Diff([]string{"7.1.s"}, p.told); diff != "" || !reply.again() || reply.delay() != 0 {
			t.Errorf("asynq is told %v, told %v", reply.err, p.told)
		}
	})
}
