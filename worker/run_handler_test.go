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

func TestTheTruthIsWrittenAndSpokenBeforeTheTaskIsLetGo(t *testing.T) {
	image := provision.Wrap(provision.CodeImage, errors.New("10.0.0.1"), "image x was not found for 60 s")
	for name, c := range map[string]struct {
		err  error
		want ruled
		done bool
	}{
		"success": {nil, ruled{provision.StatusReady, "", ""}, true},
		"failure": {image, ruled{provision.StatusFailed, provision.CodeImage, "image x was not found for 60 s"}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.untold = []queue.CallbackTask{{StoreID: "s", Generation: 7, Sequence: 1}}
			r.runner = runnerFunc(func(context.Context, func(provision.Step)) error { r.note("run"); return c.err })
			reply := r.process(t, t.Context())
			if diff := cmp.Diff([]string{"enter", "run", "verdict", "enqueue call", "leave s"}, r.events); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if r.verdicts[0] != c.want || r.exits[0] != (record.RunEnd{Ended: true}) {
				t.Errorf("%s: verdict %+v, exit %+v", name, r.verdicts[0], r.exits[0])
			}
			if (reply.err == nil) != c.done || reply.archived() == c.done {
				t.Errorf("%s: asynq is told %v", name, reply.err)
			}
		})
	}
}

func TestADeleteHasItsOwnVerdicts(t *testing.T) {
	for err, want := range map[error]provision.Status{nil: provision.StatusDeleted, errGenerationTimeout: provision.StatusDeleteFailed} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, returns(err))
			r.records.enter = func(token string) (record.AcquireResult, record.Run, error) {
				run := aRun(token)
				run.Op = provision.OpDelete
				return record.Acquired, run, nil
			}
			r.process(t, t.Context())
			if r.verdicts[0].status != want {
				t.Errorf("%v: %+v", err, r.verdicts[0])
			}
		})
	}
}

func TestWhatIsTriedAgainIsToldToNobody(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		counted bool
	}{
		"unavailable": {provision.Errorf(provision.CodeUnavailable, "away"), false},
		"busy":        {provision.Errorf(provision.CodeBusy, "busy"), false},
		"internal":    {errors.New("broken"), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, returns(c.err))
			reply := r.process(t, t.Context())
			if len(r.verdicts) != 0 || !reply.again() || reply.counted() != c.counted || reply.delay() <= 0 {
				t.Errorf("%s: verdicts %v, asynq is told %v", name, r.verdicts, reply.err)
			}
			if r.exits[0] != (record.RunEnd{Counted: c.counted}) {
				t.Errorf("%s: exit %+v", name, r.exits[0])
			}
		})
	}
}

func TestTheLastAttemptsFailureIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, returns(errors.New("10.0.0.1 broke")))
		r.records.enter = withRun(func(run *record.Run) { run.Attempts = r.limits.MaxAttempts - 1 })
		reply := r.process(t, t.Context())
		if !reply.archived() || len(r.verdicts) != 1 || r.verdicts[0].status != provision.StatusFailed || strings.Contains(r.verdicts[0].text, "10.0.0.1") {
			t.Errorf("verdicts %+v, asynq is told %v", r.verdicts, reply.err)
		}
		if r.exits[0] != (record.RunEnd{Counted: true, Ended: true}) {
			t.Errorf("exit %+v", r.exits[0])
		}
	})
}

// withRun enters with a run that differs.
func withRun(change func(*record.Run)) func(string) (record.AcquireResult, record.Run, error) {
	return func(token string) (record.AcquireResult, record.Run, error) {
		run := aRun(token)
		change(&run)
		return record.Acquired, run, nil
	}
}

func TestASupersededRunIsDoneAndToldToNobody(t *testing.T) {
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
		if reply.err != nil || len(r.verdicts) != 0 || r.exits[0] != (record.RunEnd{Ended: true}) {
			t.Errorf("asynq is told %v, verdicts %v, exit %+v", reply.err, r.verdicts, r.exits[0])
		}
	})
}

func TestAVerdictThatIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		ruling record.OutcomeResult
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
				r.records.enter = withRun(func(run *record.Run) { run.Attempts = attempts })
				r.verdict = func() (record.OutcomeResult, []queue.Task, error) { return c.ruling, nil, c.err }
				reply := r.process(t, t.Context())
				if reply.again() != c.again || (c.again && (reply.counted() || reply.delay() <= 0)) {
					t.Errorf("%s, %d attempts: asynq is told %v", name, attempts, reply.err)
				}
				if r.exits[0] != (record.RunEnd{Ended: !c.again}) {
					t.Errorf("%s: exit %+v", name, r.exits[0])
				}
			})
		}
	}
}

func TestARunThatKilledItsWorkersIsGivenUp(t *testing.T) {
	for crashes, gaveUp := range map[int]bool{4: false, 5: true, 6: true} {
		synctest.Test(t, func(t *testing.T) {
			ran := false
			r := newRig(t, func(context.Context, func(provision.Step)) error { ran = true; return nil })
			r.records.enter = withRun(func(run *record.Run) { run.Crashes = crashes })
			r.process(t, t.Context())
			if ran == gaveUp || (gaveUp && (r.verdicts[0].status != provision.StatusFailed || r.verdicts[0].code != provision.CodeCrash)) {
				t.Errorf("%d crashes: ran %v, verdict %+v", crashes, ran, r.verdicts[0])
			}
		})
	}
}

func TestADeadlineEndsAGeneration(t *testing.T) {
	for name, left := range map[string]time.Duration{"before the run": -time.Second, "at its start": 0, "during the run": time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
			r.records.enter = withRun(func(run *record.Run) { run.TimeLeft = left })
			start := time.Now()
			reply := r.process(t, t.Context())
			if !reply.archived() || r.verdicts[0].code != provision.CodeTimeout || r.verdicts[0].text != errGenerationTimeout.Message {
				t.Errorf("%s: verdict %+v, asynq is told %v", name, r.verdicts[0], reply.err)
			}
			if took := time.Since(start); took != max(left, 0) {
				t.Errorf("%s: after %s", name, took)
			}
		})
	}
}

func TestARunThatNeverEndsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
		start := time.Now()
		reply := r.process(t, t.Context())
		if took := time.Since(start); took != r.limits.run() || !reply.again() || !reply.counted() {
			t.Errorf("after %s asynq is told %v", took, reply.err)
		}
	})
}

func TestStoppingGivesTheTaskBackAtOnce(t *testing.T) {
	for name, when := range map[string]time.Duration{"during the run": time.Minute, "at its start": 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
			time.AfterFunc(when, func() { r.stopping(errStopping) })
			start := time.Now()
			reply := r.process(t, t.Context())
			if !reply.again() || reply.counted() || reply.delay() != 0 || time.Since(start) != when {
				t.Errorf("%s: after %s asynq is told %v", name, time.Since(start), reply.err)
			}
			if len(r.verdicts) != 0 || r.exits[0] != (record.RunEnd{}) {
				t.Errorf("%s: verdicts %v, exit %+v", name, r.verdicts, r.exits[0])
			}
		})
	}
}

func TestAStoppingWorkerBeginsNothing(t *testing.T) {
	r := newRig(t, nil)
	r.stopping(errStopping)
	err := r.ProcessTask(t.Context(), runTask())
	if reply := (&replied{err}); !reply.again() || reply.counted() || reply.delay() != 0 || len(r.events) != 0 {
		t.Errorf("asynq is told %v after %v", err, r.events)
	}
}

func TestStoppingEndsTheWaitAtTheGate(t *testing.T) {
	for _, full := range []record.AcquireResult{record.AcquireHeld, record.AcquireWaiting} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.records.enter = answers(full, time.Hour, record.Acquired)
			time.AfterFunc(time.Second, func() { r.stopping(errStopping) })
			start := time.Now()
			reply := &replied{r.ProcessTask(t.Context(), runTask())}
			if !reply.again() || reply.counted() || reply.delay() != 0 || time.Since(start) != time.Second {
				t.Errorf("%s: after %s asynq is told %v, again after %s", full, time.Since(start), reply.err, reply.delay())
			}
		})
	}
}

// asynq's context ends when the task's lease is lost or somebody cancels it in the web UI: another worker may have it.
func TestTheEndOfAsynqsContextEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(ctx context.Context, _ func(provision.Step)) error { <-ctx.Done(); return context.Cause(ctx) })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		reply := r.process(t, ctx)
		if !reply.again() || reply.counted() || len(r.verdicts) != 0 || !errors.Is(reply.err.(*retryError).cause, errLeaseLost) {
			t.Errorf("asynq is told %v, verdicts %v", reply.err, r.verdicts)
		}
	})
}

// What was done in spite of the end of its context is done: the verdict has a time of its own.
func TestAVerdictIsWrittenAlthoughTheWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.runner = returnsAfter(func() { r.stopping(errStopping) })
		if reply := r.process(t, t.Context()); reply.err != nil || len(r.verdicts) != 1 {
			t.Errorf("asynq is told %v, verdicts %v", reply.err, r.verdicts)
		}
	})
}

func returnsAfter(do func()) runnerFunc {
	return func(context.Context, func(provision.Step)) error { do(); return nil }
}

func TestAPanicIsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(context.Context, func(provision.Step)) error { panic("nil map of " + "secret") })
		reply := r.process(t, t.Context())
		if !reply.again() || !reply.counted() || r.exits[0] != (record.RunEnd{Counted: true}) {
			t.Errorf("asynq is told %v, exit %+v", reply.err, r.exits[0])
		}
		if strings.Contains(reply.err.Error(), "secret") {
			t.Errorf("the web UI shows %q", reply.err)
		}
		if log := r.text.String(); !strings.Contains(log, "nil map of secret") || !strings.Contains(log, "run_handler_test.go") {
			t.Errorf("the log lacks what panicked and where: %s", log)
		}
	})
}

func TestWhatThereIsNothingToRunFor(t *testing.T) {
	for entry, c := range map[record.AcquireResult]struct{ again, spoken bool }{
		record.AcquireDone: {false, true}, record.AcquireSuperseded: {false, false}, record.AcquireNoRecord: {false, false}, record.AcquireHeld: {true, false}, record.AcquireWaiting: {true, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.untold = []queue.CallbackTask{{StoreID: "s", Generation: 7, Sequence: 1}}
			r.records.enter = answers(entry, time.Hour, record.Acquired)
			reply := &replied{r.ProcessTask(t.Context(), runTask())}
			if reply.again() != c.again || (reply.err != nil && (reply.counted() || provision.CodeOf(reply.err.(*retryError).cause) != provision.CodeBusy)) {
				t.Errorf("%s: asynq is told %v", entry, reply.err)
			}
			if spoken := slices.Contains(r.events, "enqueue call"); spoken != c.spoken || len(r.verdicts) != 0 {
				t.Errorf("%s: events %v", entry, r.events)
			}
		})
	}
}

func TestAGateThatCannotBeAskedIsComeBackTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.records.enter = func(string) (record.AcquireResult, record.Run, error) {
			return "", record.Run{}, provision.Errorf(provision.CodeUnavailable, "Redis does not answer")
		}
		reply := &replied{r.ProcessTask(t.Context(), runTask())}
		if !reply.again() || reply.counted() || reply.delay() <= 0 {
			t.Errorf("asynq is told %v", reply.err)
		}
	})
}

func TestStrangersAreArchived(t *testing.T) {
	r := newRig(t, nil)
	for _, payload := range []string{"", "[]", `{"store_id":"s"}`, `{"generation":7}`} {
		err := r.ProcessTask(t.Context(), asynq.NewTask(queue.TypeOf(queue.QueueProvision), []byte(payload)))
		if !errors.Is(err, asynq.SkipRetry) || len(r.events) != 0 {
			t.Errorf("%q: asynq is told %v", payload, err)
		}
	}
}

func TestStepsAreJournalledAndARunDoesNotNeedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(_ context.Context, onStep func(provision.Step)) error {
			onStep(provision.Step{Name: "ready", State: provision.StepStarted})
			onStep(provision.Step{Name: "ready", State: provision.StepDone})
			return nil
		})
		if reply := r.process(t, t.Context()); reply.err != nil || len(r.steps) != 2 {
			t.Errorf("asynq is told %v, steps %v", reply.err, r.steps)
		}
	})
}

func TestARunIsFenced(t *testing.T) {
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

func TestProgressIsSpokenOfBeforeTheRun(t *testing.T) {
	for _, progress := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			r.leases.progress = progress
			r.untold = []queue.CallbackTask{{StoreID: "s", Generation: 7, Sequence: 1}}
			r.runner = returnsAfter(func() {
				if spoken := slices.Contains(r.events, "enqueue call"); spoken != progress {
					t.Errorf("progress %v, spoken %v", progress, spoken)
				}
			})
			r.process(t, t.Context())
		})
	}
}

func TestTheOutputsOfARunAreItsVerdicts(t *testing.T) {
	r := newRig(t, func(_ context.Context, onStep func(provision.Step)) error {
		onStep(provision.Step{Name: provision.StepVerify, State: provision.StepDone, Outputs: provision.Outputs{"key": "open to all"}})
		onStep(provision.Step{Name: "another", State: provision.StepDone})
		return nil
	})
	r.process(t, t.Context())
	if len(r.records.facts) != 1 || r.records.facts[0]["key"] != "open to all" {
		t.Errorf("the verdicts came with %v", r.records.facts)
	}
}
