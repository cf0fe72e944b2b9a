package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

func returns(err error) runnerFunc {
	return func(context.Context, func(provision.Step)) error { return err }
}

func TestRunHandlerRecordsTheOutcomeBeforeTheTaskEnds(t *testing.T) {
	image := provision.Wrap(provision.CodeImage, errors.New("10.0.0.1"), "image x was not found for 60 s")
	for name, c := range map[string]struct {
		err  error
		want recordedOutcome
		done bool
	}{
		"success": {nil, recordedOutcome{provision.StatusReady, "", ""}, true},
		"failure": {image, recordedOutcome{provision.StatusFailed, provision.CodeImage, "image x was not found for 60 s"}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.pending = []queue.CallbackTask{{StoreID: "s", Generation: 7, Sequence: 1}}
			r.runner = runnerFunc(func(context.Context, func(provision.Step)) error { r.note("run"); return c.err })
			reply := r.process(t, t.Context())
			if diff := cmp.Diff([]string{"acquire", "run", "record outcome", "enqueue callback", "release s"}, r.events); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if r.recorded[0] != c.want || r.ends[0] != (record.RunEnd{Ended: true}) {
				t.Errorf("%s: outcome %+v, run end %+v", name, r.recorded[0], r.ends[0])
			}
			if (reply.err == nil) != c.done || reply.archived() == c.done {
				t.Errorf("%s: asynq gets %v", name, reply.err)
			}
		})
	}
}

func TestRunHandlerRecordsTheOutcomesOfADelete(t *testing.T) {
	for err, want := range map[error]provision.Status{nil: provision.StatusDeleted, errGenerationTimeout: provision.StatusDeleteFailed} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, returns(err))
			r.records.acquire = func(token string) (record.AcquireResult, record.Run, error) {
				run := aRun(token)
				run.Op = provision.OpDelete
				return record.Acquired, run, nil
			}
			r.process(t, t.Context())
			if r.recorded[0].status != want {
				t.Errorf("%v: %+v", err, r.recorded[0])
			}
		})
	}
}

func TestRunHandlerRecordsNoOutcomeOfARunThatIsRetried(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		counted bool
	}{
		"unavailable": {provision.Errorf(provision.CodeUnavailable, "away"), false},
		"busy":        {provision.Errorf(provision.CodeBusy, "busy"), false},
		"blocked":     {provision.Errorf(provision.CodeBlocked, "a webhook is away"), true},
		"internal":    {errors.New("broken"), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, returns(c.err))
			reply := r.process(t, t.Context())
			if len(r.recorded) != 0 || !reply.again() || reply.counted() != c.counted || reply.delay() <= 0 {
				t.Errorf("%s: outcome %v, asynq gets %v", name, r.recorded, reply.err)
			}
			if r.ends[0] != (record.RunEnd{Counted: c.counted, Again: reply.delay()}) {
				t.Errorf("%s: run end %+v", name, r.ends[0])
			}
		})
	}
}

func TestRunHandlerRecordsTheFailureOfTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, returns(errors.New("10.0.0.1 broke")))
		r.records.acquire = withRun(func(run *record.Run) { run.Attempts = r.limits.MaxAttempts - 1 })
		reply := r.process(t, t.Context())
		if !reply.archived() || len(r.recorded) != 1 || r.recorded[0].status != provision.StatusFailed || strings.Contains(r.recorded[0].text, "10.0.0.1") {
			t.Errorf("outcomes %+v, asynq gets %v", r.recorded, reply.err)
		}
		if r.ends[0] != (record.RunEnd{Counted: true, Ended: true}) {
			t.Errorf("run end %+v", r.ends[0])
		}
	})
}

// TestRunHandlerPutsAStoreOnHold: the record says that others have failed for the same cause, so the store waits, and its attempts stay.
func TestRunHandlerPutsAStoreOnHold(t *testing.T) {
	for _, err := range []error{provision.Errorf(provision.CodeImage, "cannot be pulled"), provision.Errorf(provision.CodeBlocked, "a webhook is away")} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, returns(err))
			r.records.acquire = withRun(func(run *record.Run) { run.Attempts = r.limits.MaxAttempts - 1 })
			r.records.recordOutcome = func() (record.OutcomeResult, []queue.Task, error) { return record.OutcomeOnHold, nil, nil }
			reply := r.process(t, t.Context())
			if !reply.again() || reply.counted() || reply.delay() < 30*time.Second || reply.delay() > 90*time.Second {
				t.Errorf("asynq gets %v", reply.err)
			}
			if r.ends[0] != (record.RunEnd{Again: reply.delay()}) {
				t.Errorf("run end %+v", r.ends[0])
			}
		})
	}
}

// withRun acquires a run that differs.
func withRun(change func(*record.Run)) func(string) (record.AcquireResult, record.Run, error) {
	return func(token string) (record.AcquireResult, record.Run, error) {
		run := aRun(token)
		change(&run)
		return record.Acquired, run, nil
	}
}

func TestRunHandlerRecordsNoOutcomeOfASupersededRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.runner = runnerFunc(func(ctx context.Context, _ func(provision.Step)) error {
			r.renews(always(record.RenewSuperseded))
			start := time.Now()
			r.leases.renewNow("s")
			<-ctx.Done()
			if time.Since(start) > time.Second {
				t.Errorf("seen after %s", time.Since(start))
			}
			return context.Cause(ctx)
		})
		reply := r.process(t, t.Context())
		if reply.err != nil || len(r.recorded) != 0 || r.ends[0] != (record.RunEnd{Ended: true}) {
			t.Errorf("asynq gets %v, outcome %v, run end %+v", reply.err, r.recorded, r.ends[0])
		}
	})
}

func TestRunHandlerWhenTheOutcomeIsNotRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		result record.OutcomeResult
		err    error
		again  bool
	}{
		"written":     {record.OutcomeRecorded, nil, false},
		"stands":      {record.OutcomeUnchanged, nil, false},
		"superseded":  {record.OutcomeSuperseded, nil, false},
		"lease lost":  {record.OutcomeLeaseLost, nil, true},
		"Redis away":  {"", provision.Errorf(provision.CodeUnavailable, "away"), true},
		"broken":      {"", errors.New("a script is broken"), true},
		"Redis hangs": {"", context.DeadlineExceeded, true},
	} {
		for _, attempts := range []int{0, DefaultLimits().MaxAttempts - 1} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, returns(errGenerationTimeout))
				r.records.acquire = withRun(func(run *record.Run) { run.Attempts = attempts })
				r.records.recordOutcome = func() (record.OutcomeResult, []queue.Task, error) { return c.result, nil, c.err }
				reply := r.process(t, t.Context())
				if reply.again() != c.again || (c.again && (reply.counted() || reply.delay() <= 0)) {
					t.Errorf("%s, %d attempts: asynq gets %v", name, attempts, reply.err)
				}
				want := record.RunEnd{Ended: !c.again}
				if c.again {
					want.Again = reply.delay()
				}
				if r.ends[0] != want {
					t.Errorf("%s: run end %+v", name, r.ends[0])
				}
			})
		}
	}
}

func TestRunHandlerGivesUpAfterTooManyCrashes(t *testing.T) {
	for crashes, gaveUp := range map[int]bool{4: false, 5: true, 6: true} {
		synctest.Test(t, func(t *testing.T) {
			ran := false
			r := newRig(t, func(context.Context, func(provision.Step)) error { ran = true; return nil })
			r.records.acquire = withRun(func(run *record.Run) { run.Crashes = crashes })
			r.process(t, t.Context())
			if ran == gaveUp || (gaveUp && (r.recorded[0].status != provision.StatusFailed || r.recorded[0].code != provision.CodeCrash)) {
				t.Errorf("%d crashes: ran %v, outcome %+v", crashes, ran, r.recorded[0])
			}
		})
	}
}

func TestRunHandlerEndsAGenerationAtItsDeadline(t *testing.T) {
	for name, left := range map[string]time.Duration{"before the run": -time.Second, "at its start": 0, "during the run": time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
			r.records.acquire = withRun(func(run *record.Run) { run.TimeLeft = left })
			start := time.Now()
			reply := r.process(t, t.Context())
			if !reply.archived() || r.recorded[0].code != provision.CodeTimeout || r.recorded[0].text != errGenerationTimeout.Message {
				t.Errorf("%s: outcome %+v, asynq gets %v", name, r.recorded[0], reply.err)
			}
			if took := time.Since(start); took != max(left, 0) {
				t.Errorf("%s: after %s", name, took)
			}
		})
	}
}

func TestRunHandlerEndsARunThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
		start := time.Now()
		reply := r.process(t, t.Context())
		if took := time.Since(start); took != r.limits.run() || !reply.again() || !reply.counted() {
			t.Errorf("after %s asynq gets %v", took, reply.err)
		}
	})
}

func TestRunHandlerStoppingGivesTheTaskBackAtOnce(t *testing.T) {
	for name, when := range map[string]time.Duration{"during the run": time.Minute, "at its start": 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
			time.AfterFunc(when, func() { r.stopping(errStopping) })
			start := time.Now()
			reply := r.process(t, t.Context())
			if !reply.again() || reply.counted() || reply.delay() != 0 || time.Since(start) != when {
				t.Errorf("%s: after %s asynq gets %v", name, time.Since(start), reply.err)
			}
			if len(r.recorded) != 0 || r.ends[0] != (record.RunEnd{}) {
				t.Errorf("%s: outcome %v, run end %+v", name, r.recorded, r.ends[0])
			}
		})
	}
}

func TestRunHandlerStoppingBeginsNothing(t *testing.T) {
	r := newRig(t, nil)
	r.stopping(errStopping)
	err := r.ProcessTask(t.Context(), runTask())
	if reply := (&replied{err}); !reply.again() || reply.counted() || reply.delay() != 0 || len(r.events) != 0 {
		t.Errorf("asynq gets %v after %v", err, r.events)
	}
}

func TestRunHandlerStoppingEndsTheWaitForTheLease(t *testing.T) {
	for _, full := range []record.AcquireResult{record.AcquireHeld, record.AcquireWaiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.records.acquire = acquireAfter(full, time.Hour, record.Acquired)
			time.AfterFunc(time.Second, func() { r.stopping(errStopping) })
			start := time.Now()
			reply := &replied{r.ProcessTask(t.Context(), runTask())}
			if !reply.again() || reply.counted() || reply.delay() != 0 || time.Since(start) != time.Second {
				t.Errorf("%s: after %s asynq gets %v, again after %s", full, time.Since(start), reply.err, reply.delay())
			}
		})
	}
}

// asynq's context ends when the task's lease is lost or it is cancelled in the web UI: another worker may have it.
func TestRunHandlerEndsTheRunWithAsynqsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		reply := r.process(t, ctx)
		if !reply.again() || reply.counted() || len(r.recorded) != 0 || !errors.Is(reply.err.(*retryError).cause, errLeaseLost) {
			t.Errorf("asynq gets %v, outcome %v", reply.err, r.recorded)
		}
	})
}

// What was done in spite of the end of its context is done: recording the outcome has a timeout of its own.
func TestRunHandlerRecordsTheOutcomeAlthoughTheWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.runner = returnsAfter(func() { r.stopping(errStopping) })
		if reply := r.process(t, t.Context()); reply.err != nil || len(r.recorded) != 1 {
			t.Errorf("asynq gets %v, outcome %v", reply.err, r.recorded)
		}
	})
}

func returnsAfter(do func()) runnerFunc {
	return func(context.Context, func(provision.Step)) error { do(); return nil }
}

func TestRunHandlerCountsAPanicAsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, func(provision.Step)) error { panic("nil map of " + "secret") })
		reply := r.process(t, t.Context())
		if !reply.again() || !reply.counted() || r.ends[0] != (record.RunEnd{Counted: true, Again: reply.delay()}) {
			t.Errorf("asynq gets %v, run end %+v", reply.err, r.ends[0])
		}
		if strings.Contains(reply.err.Error(), "secret") {
			t.Errorf("the web UI shows %q", reply.err)
		}
		if log := r.text.String(); !strings.Contains(log, "nil map of secret") || !strings.Contains(log, "run_handler_test.go") {
			t.Errorf("the log lacks what panicked and where: %s", log)
		}
	})
}

func TestRunHandlerWithNothingToRun(t *testing.T) {
	for result, c := range map[record.AcquireResult]struct{ again, enqueued bool }{
		record.AcquireDone: {false, true}, record.AcquireSuperseded: {false, false}, record.AcquireNoRecord: {false, false}, record.AcquireHeld: {true, false}, record.AcquireWaiting: {true, false},
		record.AcquireOnHold: {true, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.pending = []queue.CallbackTask{{StoreID: "s", Generation: 7, Sequence: 1}}
			r.records.acquire = acquireAfter(result, time.Hour, record.Acquired)
			reply := &replied{r.ProcessTask(t.Context(), runTask())}
			if reply.again() != c.again || (reply.err != nil && (reply.counted() || provision.CodeOf(reply.err.(*retryError).cause) != provision.CodeBusy)) {
				t.Errorf("%s: asynq gets %v", result, reply.err)
			}
			if enqueued := slices.Contains(r.events, "enqueue callback"); enqueued != c.enqueued || len(r.recorded) != 0 {
				t.Errorf("%s: events %v", result, r.events)
			}
		})
	}
}

func TestRunHandlerRetriesWhenTheLeaseCannotBeAcquired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.records.acquire = func(string) (record.AcquireResult, record.Run, error) {
			return "", record.Run{}, provision.Errorf(provision.CodeUnavailable, "Redis does not answer")
		}
		reply := &replied{r.ProcessTask(t.Context(), runTask())}
		if !reply.again() || reply.counted() || reply.delay() <= 0 {
			t.Errorf("asynq gets %v", reply.err)
		}
	})
}

func TestRunHandlerArchivesForeignTasks(t *testing.T) {
	r := newRig(t, nil)
	for _, payload := range []string{"", "[]", `{"store_id":"s"}`, `{"generation":7}`} {
		err := r.ProcessTask(t.Context(), asynq.NewTask(queue.TypeOf(queue.QueueProvision), []byte(payload)))
		if !errors.Is(err, asynq.SkipRetry) || len(r.events) != 0 {
			t.Errorf("%q: asynq gets %v", payload, err)
		}
	}
}

func TestRunHandlerFencesTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error {
			if _, fenced := provision.FenceOf(ctx).(*lease); !fenced {
				t.Error("its context carries no fence")
			}
			return nil
		})
		r.process(t, t.Context())
	})
}

func TestRunHandlerEnqueuesProgressBeforeTheRun(t *testing.T) {
	for _, progress := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.leases.progress = progress
			r.pending = []queue.CallbackTask{{StoreID: "s", Generation: 7, Sequence: 1}}
			r.runner = returnsAfter(func() {
				if enqueued := slices.Contains(r.events, "enqueue callback"); enqueued != progress {
					t.Errorf("progress %v, enqueued %v", progress, enqueued)
				}
			})
			r.process(t, t.Context())
		})
	}
}

func TestRunHandlerRecordsTheOutputsOfTheRun(t *testing.T) {
	r := newRig(t, func(_ context.Context, onStep func(provision.Step)) error {
		onStep(provision.Step{Name: provision.StepVerify, State: provision.StepDone, Outputs: provision.Outputs{"key": "open to all"}})
		onStep(provision.Step{Name: "another", State: provision.StepDone})
		return nil
	})
	r.process(t, t.Context())
	if len(r.records.outputs) != 1 || r.records.outputs[0]["key"] != "open to all" {
		t.Errorf("the outcomes came with %v", r.records.outputs)
	}
}
