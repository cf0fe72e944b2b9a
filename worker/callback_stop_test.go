package worker

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/callback"
)

func TestCallbackHandlerStopsDuringAPOST(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, stopping := context.WithCancelCause(context.Background())
		call := aCallback(1, provision.StatusReady)
		call.At = 1 // even one that is to be given up
		p := newDeliveryFakes(call)
		p.answer = func(ctx context.Context, _ callback.Message) callback.Result {
			stopping(errStopping)
			<-ctx.Done()
			return callback.Result{Outcome: callback.Retry, Reason: "cancelled"}
		}
		reply := p.processUntil(t, t.Context(), stop)
		if !reply.again() || reply.counted() || reply.delay() != 0 || len(p.closed)+len(p.deadLetters) != 0 {
			t.Errorf("asynq gets %v, delivered %v, dead letters %v", reply.err, p.closed, p.deadLetters)
		}
	})
}

func TestCallbackHandlerStopsWhileThePasswordIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, stopping := context.WithCancelCause(context.Background())
		p := newDeliveryFakes(aCallback(1, provision.StatusReady))
		p.password = func(ctx context.Context) (string, error) {
			stopping(errStopping)
			<-ctx.Done()
			return "", ctx.Err()
		}
		if reply := p.processUntil(t, t.Context(), stop); !reply.again() || reply.counted() || reply.delay() != 0 {
			t.Errorf("asynq gets %v, again after %s", reply.err, reply.delay())
		}
	})
}

// The backend has taken the callback: that has to be recorded although the worker stops.
func TestCallbackHandlerRecordsADeliveryWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, stopping := context.WithCancelCause(context.Background())
		p := newDeliveryFakes(aCallback(1, provision.StatusReady), aCallback(2, provision.StatusDeleted))
		p.answer = func(ctx context.Context, _ callback.Message) callback.Result {
			stopping(errStopping)
			<-ctx.Done()
			p.claimErr = ctx.Err()
			return callback.Result{}
		}
		reply := p.processUntil(t, t.Context(), stop)
		if diff := cmp.Diff([]string{"7.1.s"}, p.closed); diff != "" || !reply.again() || reply.delay() != 0 {
			t.Errorf("asynq gets %v, delivered %v", reply.err, p.closed)
		}
	})
}
