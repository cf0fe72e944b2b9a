package provision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

var provisioning = []string{"namespace.Ensure", "credentials.Ensure", "release.Apply", "ready.Wait", "shop.Open", "shop.Verify", "shop.close", "shop.SaveVerification"}

func TestProvisionTakesItsStepsInOrder(t *testing.T) {
	c := &cluster{}
	j, err := c.run(t.Context(), provision.OpProvision, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(provisioning, c.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	want := []string{"namespace started", "namespace done", "credentials started", "credentials done", "release started", "release done",
		"ready started", "ready done", "verify started", "verify done"}
	if diff := cmp.Diff(want, j.entries()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestDeleteTakesItsStepsInOrder(t *testing.T) {
	c := &cluster{}
	if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
		t.Fatal(err)
	}
	c.restart()
	j, err := c.run(t.Context(), provision.OpDelete, 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"namespace.MarkDeleting", "release.Remove", "volumes.Remove", "namespace.Remove"}, c.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	want := []string{"release started", "release done", "volumes started", "volumes done", "namespace started", "namespace done"}
	if diff := cmp.Diff(want, j.entries()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(state{}, c.state); diff != "" {
		t.Errorf("left behind:\n%s", diff)
	}
}

// TestASuspendedStoreIsStopped: it is not asked whether it sells, and nothing of it is removed.
func TestASuspendedStoreIsStopped(t *testing.T) {
	c := &cluster{}
	if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
		t.Fatal(err)
	}
	c.calls = nil
	s := store(2)
	s.Suspended = true
	var steps []string
	err := c.runner().Run(t.Context(), provision.OpProvision, s, func(step provision.Step) { steps = append(steps, step.Name+" "+string(step.State)) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"namespace.Ensure", "credentials.Ensure", "release.Apply", "volumes.Detach"}, c.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if last := steps[len(steps)-1]; last != "stopped done" || c.Volumes == 0 {
		t.Errorf("the last step is %q, and there are %d volumes", last, c.Volumes)
	}
	if got := [2]provision.Status{s.Success(provision.OpProvision), s.Success(provision.OpDelete)}; got != [2]provision.Status{provision.StatusSuspended, provision.StatusDeleted} {
		t.Errorf("its outcomes are %v", got)
	}
}

// TestARotationIsAStepOfItsOwn: the running shop gets other credentials before it is asked whether it sells, once for each request.
func TestARotationIsAStepOfItsOwn(t *testing.T) {
	c := &cluster{}
	if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
		t.Fatal(err)
	}
	with := func(generation int64, suspended bool) []string {
		c.calls = nil
		s := store(generation)
		s.Rotation, s.Suspended = 2, suspended
		var j journal
		if err := c.runner().Run(t.Context(), provision.OpProvision, s, func(s provision.Step) { j = append(j, s) }); err != nil {
			t.Fatal(err)
		}
		return j.entries()
	}
	if got := with(2, true); slices.Contains(got, "rotate started") || c.Namespace.Rotated != 0 {
		t.Errorf("a stopped shop was given credentials: %v", got)
	}
	want := []string{"namespace started", "namespace done", "credentials started", "credentials done", "release started", "release done",
		"ready started", "ready done", "rotate started", "rotate done", "verify started", "verify done"}
	if diff := cmp.Diff(want, with(3, false)); diff != "" || c.Namespace.Rotated != 2 {
		t.Errorf("it rotated %d; journal (-want +got):\n%s", c.Namespace.Rotated, diff)
	}
	if got := with(4, false); slices.Contains(got, "rotate started") {
		t.Errorf("it rotated again: %v", got)
	}
}

// restoring runs a provision of a store that is to be restored as of a generation.
func (c *cluster) restoring(ctx context.Context, generation, restore int64, change func(*provision.Runner, *provision.Store)) ([]string, error) {
	s, r := store(generation), c.runner()
	s.Restore = &provision.Restore{Generation: restore, Backup: provision.Backup{Run: "r"}}
	if change != nil {
		change(r, &s)
	}
	var j journal
	err := r.Run(ctx, provision.OpProvision, s, func(s provision.Step) { j = append(j, s) })
	return slices.DeleteFunc(j.entries(), func(entry string) bool { return strings.HasSuffix(entry, " started") }), err
}

// TestARestoreIsDoneBeforeTheShopStarts: with the database alone, once for each request, in a namespace that may be new.
func TestARestoreIsDoneBeforeTheShopStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{"restore.Restore": func(context.Context) error { time.Sleep(time.Hour); return nil }}}
		want := []string{"namespace done", "credentials done", "release done", "ready done", "restore done", "release done", "ready done", "verify done"}
		got, err := c.restoring(t.Context(), 2, 2, nil)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || c.Namespace.Restored != 2 || strings.Contains(c.Release, "stopped:true") {
			t.Errorf("%v; restored as of %d with %s; journal (-want +got):\n%s", err, c.Namespace.Restored, c.Release, diff)
		}
		if again, err := c.restoring(t.Context(), 3, 2, nil); slices.Contains(again, "restore done") || err != nil {
			t.Errorf("it is restored again: %v, %v", again, err)
		}
		if later, err := c.restoring(t.Context(), 4, 4, nil); !slices.Contains(later, "restore done") || err != nil {
			t.Errorf("another restore: %v, %v", later, err)
		}
	})
}

func TestARestoreThatIsNotDoneStartsNoShop(t *testing.T) {
	crash := provision.Errorf(provision.CodeCrash, "the database is full")
	for name, try := range map[string]struct {
		change func(*provision.Runner, *provision.Store)
		fail   map[string]error
		code   provision.Code
		last   string
	}{
		"it fails":             {fail: map[string]error{"restore.Restore": crash}, code: provision.CodeCrash, last: "restore failed"},
		"it is refused":        {fail: map[string]error{"restore.Restore": provision.Wrap(provision.CodeConflict, provision.ErrRestoreRefused, "of another store")}, code: provision.CodeConflict, last: "release done"},
		"its edition has none": {fail: map[string]error{"restore.Restored": provision.Errorf(provision.CodeConflict, "knows no job")}, code: provision.CodeConflict, last: "credentials done"},
		"the worker has none":  {change: func(r *provision.Runner, _ *provision.Store) { r.Restorer = nil }, code: provision.CodeUnavailable, last: "credentials done"},
		"it is suspended":      {change: func(_ *provision.Runner, s *provision.Store) { s.Suspended = true }, code: provision.CodeInternal, last: "stopped done"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{fail: try.fail}
			got, err := c.restoring(t.Context(), 2, 2, try.change)
			suspended := try.last == "stopped done"
			if (err == nil) != suspended || err != nil && provision.CodeOf(err) != try.code || got[len(got)-1] != try.last || c.Namespace.Restored != 0 {
				t.Errorf("%s: %v; %v", name, err, got)
			}
			if runs := suspended || try.last == "release done"; runs != strings.Contains(c.Release, "stopped:false") {
				t.Errorf("%s: the shop is left with %s", name, c.Release)
			}
		})
	}
}

func TestPodsThatDoNotEndAreATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{"volumes.Detach": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}}
		s := store(1)
		s.Suspended = true
		start := time.Now()
		err := c.runner().Run(t.Context(), provision.OpProvision, s, func(provision.Step) {})
		if provision.CodeOf(err) != provision.CodeTimeout || time.Since(start) != budget {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// TestTheReadinessBudgetStandsStillOnHold: what has waited for a cause to be mended gets its time after that.
func TestTheReadinessBudgetStandsStillOnHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{"volumes.Detach": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}}
		s := store(1)
		s.Suspended, s.OnHold = true, time.Hour
		start := time.Now()
		err := c.runner().Run(t.Context(), provision.OpProvision, s, func(provision.Step) {})
		if took := time.Since(start); provision.CodeOf(err) != provision.CodeTimeout || took != budget+time.Hour+provision.AfterHold {
			t.Errorf("%v after %s", err, took)
		}
	})
}

func TestWithoutShopsNothingIsVerified(t *testing.T) {
	c := &cluster{}
	r := c.runner()
	r.Shops = nil
	if err := r.Run(t.Context(), provision.OpProvision, store(1), func(provision.Step) {}); err != nil {
		t.Fatal(err)
	}
	if c.reached("shop.Open", "shop.Verify") {
		t.Error("the shop was asked")
	}
}

// A step that fails ends the run: nothing after it is touched, and its code is the run's.
func TestAFailingStepEndsTheRun(t *testing.T) {
	for op, calls := range map[provision.Op][]string{
		provision.OpProvision: {"namespace.Ensure", "credentials.Ensure", "release.Apply", "ready.Wait", "shop.Verify"},
		provision.OpDelete:    {"namespace.MarkDeleting", "release.Remove", "volumes.Remove", "namespace.Remove"},
	} {
		for i, name := range calls {
			t.Run(string(op)+" "+name, func(t *testing.T) {
				c := &cluster{fail: map[string]error{}}
				if op == provision.OpDelete {
					if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
						t.Fatal(err)
					}
				}
				c.restart()
				failure := provision.Wrap(provision.CodeQuota, errors.New("an internal"), "the quota of ns is used up")
				c.fail[name] = failure
				j, err := c.run(t.Context(), op, 2)
				if !errors.Is(err, failure) {
					t.Errorf("the run ended with %v", err)
				}
				if after := calls[i+1:]; c.reached(after...) {
					t.Errorf("after %s failed: %v", name, c.calls)
				}
				if name != "namespace.MarkDeleting" {
					checkFailedEntry(t, j.last(), failure)
				}
			})
		}
	}
}

func checkFailedEntry(t *testing.T, last provision.Step, failure error) {
	t.Helper()
	if last.State != provision.StepFailed || last.Code != provision.CodeQuota || last.Error != "the quota of ns is used up" || !errors.Is(last.Cause, failure) {
		t.Errorf("the journal ends with %+v", last)
	}
}

func TestJournalSaysWhenWhatAndForWhom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{
			"ready.Wait": func(context.Context) error { time.Sleep(1500 * time.Millisecond); return nil },
		}}
		start := time.Now()
		j, err := c.run(t.Context(), provision.OpProvision, 42)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(j, func(s provision.Step) bool { return s.Name == provision.StepReady })
		want := []provision.Step{
			{At: start, Generation: 42, Op: provision.OpProvision, Name: provision.StepReady, State: provision.StepStarted},
			{At: start.Add(1500 * time.Millisecond), Generation: 42, Op: provision.OpProvision, Name: provision.StepReady, State: provision.StepDone, Millis: 1500},
		}
		if diff := cmp.Diff(want, []provision.Step(j[i:i+2])); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestJournalKeepsInternalsForTheLog(t *testing.T) {
	c := &cluster{fail: map[string]error{"release.Apply": errors.New("dial tcp 10.0.0.1: password hunter2")}}
	j, err := c.run(t.Context(), provision.OpProvision, 1)
	if provision.CodeOf(err) != provision.CodeInternal || strings.Contains(provision.Public(err), "hunter2") {
		t.Errorf("code %s, public %q", provision.CodeOf(err), provision.Public(err))
	}
	if last := j.last(); strings.Contains(last.Error, "hunter2") || last.Cause == nil || last.Code != provision.CodeInternal {
		t.Errorf("%+v", last)
	}
}

// What ended the context is what the run ends with, unless the step knew better.
func TestARunEndsWithTheCauseOfItsContext(t *testing.T) {
	image := provision.Errorf(provision.CodeImage, "image x was not found for 60 s")
	for name, step := range map[string]struct {
		returns func(context.Context) error
		keeps   error
	}{
		"the context's own error": {func(ctx context.Context) error { return ctx.Err() }, nil},
		"an error of its own":     {func(context.Context) error { return errors.New("use of closed connection") }, nil},
		"a retried code":          {func(context.Context) error { return provision.Errorf(provision.CodeUnavailable, "away") }, nil},
		"a final code":            {func(context.Context) error { return image }, image},
	} {
		for _, cause := range []error{
			provision.Errorf(provision.CodeSuperseded, "newer"),
			provision.Errorf(provision.CodeUnavailable, "stopping"),
			provision.Errorf(provision.CodeUnavailable, "lease lost"),
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			c := &cluster{hold: map[string]func(context.Context) error{"ready.Wait": func(ctx context.Context) error {
				cancel(cause)
				return step.returns(ctx)
			}}}
			want := cause
			if step.keeps != nil {
				want = step.keeps
			}
			j, err := c.run(ctx, provision.OpProvision, 1)
			if err != want {
				t.Errorf("%s, cancelled by %q: the run ends with %v", name, cause, err)
			}
			if j.last().Cause != want {
				t.Errorf("%s, cancelled by %q: the journal ends with %v", name, cause, j.last().Cause)
			}
		}
	}
}

func TestWhatWasDoneInTimeIsDone(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := &cluster{hold: map[string]func(context.Context) error{"shop.Verify": func(context.Context) error {
		cancel(provision.Errorf(provision.CodeUnavailable, "stopping"))
		return nil
	}}}
	if _, err := c.run(ctx, provision.OpProvision, 1); err != nil {
		t.Errorf("every step was done, and the run ends with %v", err)
	}
}

func TestAnUnknownEngineIsTheRequestsFault(t *testing.T) {
	c := &cluster{}
	s := store(1)
	s.Engine = "other"
	err := c.runner().Run(t.Context(), provision.OpProvision, s, func(provision.Step) {})
	if provision.CodeOf(err) != provision.CodeInvalid || len(c.calls) > 0 {
		t.Errorf("%v after %v", err, c.calls)
	}
}

func TestAReleaseThatCannotBeMadeTouchesNothing(t *testing.T) {
	c := &cluster{}
	r := c.runner()
	want := provision.Errorf(provision.CodeInvalid, "currency XXX is not known")
	r.Engines["toy"] = engine{cluster: c, refuses: want}
	if err := r.Run(t.Context(), provision.OpProvision, store(1), func(provision.Step) {}); err != want || len(c.calls) > 0 {
		t.Errorf("%v after %v", err, c.calls)
	}
}
