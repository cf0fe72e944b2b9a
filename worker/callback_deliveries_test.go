package worker

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/worker/callback"
)

func TestCallbackHandlerKeepsHowEachDeliveryWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDeliveryFakes(aCallback(1, provision.StatusFailed), aCallback(2, provision.StatusReady))
		p.answer = func(_ context.Context, m callback.Message) callback.Result {
			time.Sleep(40 * time.Millisecond)
			if m.Sequence == 1 {
				return callback.Result{HTTPStatus: 204}
			}
			return callback.Result{Outcome: callback.Retry, Reason: "503 Service Unavailable busy", HTTPStatus: 503, Answer: "busy"}
		}
		start := time.Now().UTC()
		again := p.process(t)
		first := provision.Delivery{At: start, CallbackID: p.closed[0], Generation: 7, Sequence: 1, Status: provision.StatusFailed, Result: "delivered", Millis: 40, HTTPStatus: 204}
		second := provision.Delivery{At: start.Add(40 * time.Millisecond), CallbackID: "7.2.s", Generation: 7, Sequence: 2, Status: provision.StatusReady, Result: "retry", Millis: 40,
			HTTPStatus: 503, Answer: "busy", NextAt: start.Add(80*time.Millisecond + again.delay())}
		if diff := cmp.Diff([]provision.Delivery{first, second}, p.noted); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCallbackHandlerKeepsWhyNothingWasSent(t *testing.T) {
	p := newDeliveryFakes(aCallback(1, provision.StatusReady))
	p.password = func(context.Context) (string, error) {
		return "", provision.Errorf(provision.CodeUnavailable, "no cluster")
	}
	p.process(t)
	if len(p.noted) != 1 || p.noted[0].Result != "unsent" || !strings.Contains(p.noted[0].Reason, "no cluster") || p.noted[0].NextAt.IsZero() {
		t.Errorf("kept %+v", p.noted)
	}
}
