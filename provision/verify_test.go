package provision_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
)

// answers are what a shop says one after the other; the last one stays.
func answers(said ...error) func(context.Context) error {
	return func(context.Context) error {
		err := said[0]
		if len(said) > 1 {
			said = said[1:]
		}
		return err
	}
}

func says(text string) error { return provision.Errorf(provision.CodeUnavailable, "%s", text) }

// starting is how long the pods of these shops take; the budget of both began before it.
const starting = 3 * time.Minute

// verified provisions with a shop that answers as given, in a bubble with its own clock.
func verified(t *testing.T, shop func(context.Context) error, check func(t *testing.T, c *cluster, took time.Duration, err error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{"shop.Verify": shop, "ready.Wait": func(context.Context) error {
			time.Sleep(starting)
			return nil
		}}}
		start := time.Now()
		_, err := c.run(t.Context(), provision.OpProvision, 1)
		check(t, c, time.Since(start), err)
		if opened, closed := c.called("shop.Open"), c.called("shop.close"); opened != closed {
			t.Errorf("opened %d times, closed %d times", opened, closed)
		}
	})
}

func TestVerifyAsksUntilTheShopAnswers(t *testing.T) {
	verified(t, answers(says("502"), errors.New("connection reset"), says("503"), nil), func(t *testing.T, c *cluster, took time.Duration, err error) {
		if err != nil || c.called("shop.Verify") != 4 || took != starting+3*2*time.Second {
			t.Errorf("%v after %d questions in %s", err, c.called("shop.Verify"), took)
		}
	})
}

func TestVerifyEndsAtTheDeadlineWithTheLastWord(t *testing.T) {
	verified(t, answers(says("first 404"), says("the shop answers 502")), func(t *testing.T, c *cluster, took time.Duration, err error) {
		if provision.CodeOf(err) != provision.CodeTimeout || !strings.HasSuffix(provision.Public(err), "in time: the shop answers 502") {
			t.Errorf("%v", err)
		}
		if took > budget || took < budget-2*time.Second {
			t.Errorf("given up after %s of %s", took, budget)
		}
	})
}

func TestTheLastWordIsNotLostInACutOffQuestion(t *testing.T) {
	asked := 0
	verified(t, func(ctx context.Context) error {
		if asked++; asked == 1 {
			return says("the shop answers 502")
		}
		<-ctx.Done()
		return ctx.Err()
	}, func(t *testing.T, c *cluster, took time.Duration, err error) {
		if !strings.HasSuffix(provision.Public(err), "in time: the shop answers 502") {
			t.Errorf("%v", err)
		}
		if took > budget+10*time.Second {
			t.Errorf("given up after %s of %s", took, budget)
		}
	})
}

func TestInternalsAreNoLastWord(t *testing.T) {
	verified(t, answers(errors.New("dial tcp 10.1.2.3:8080")), func(t *testing.T, c *cluster, took time.Duration, err error) {
		if provision.CodeOf(err) != provision.CodeTimeout || !strings.HasSuffix(provision.Public(err), "in time: no request was sent") {
			t.Errorf("%v", provision.Public(err))
		}
	})
}

func TestAFinalAnswerIsNotAskedForAgain(t *testing.T) {
	verified(t, answers(provision.Errorf(provision.CodeCrash, "it keeps ending")), func(t *testing.T, c *cluster, took time.Duration, err error) {
		if provision.CodeOf(err) != provision.CodeCrash || c.called("shop.Verify") != 1 {
			t.Errorf("%v after %d questions", err, c.called("shop.Verify"))
		}
	})
}

func TestAShopThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{"shop.Open": answers(says("no pod"), says("no pod"), nil)}}
		if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil || c.called("shop.Open") != 3 {
			t.Errorf("%v after %d", err, c.called("shop.Open"))
		}
		if c.called("shop.close") != 1 {
			t.Errorf("closed %d times", c.called("shop.close"))
		}
	})
}

// The worker was away for longer than the budget; the shop has been fine all the time.
func TestAShopIsAskedOnceEvenAfterItsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{fail: map[string]error{"ready.Wait": says("the worker ends here")}}
		if _, err := c.run(t.Context(), provision.OpProvision, 1); err == nil {
			t.Fatal("it did not end")
		}
		c.fail = nil
		c.hold = map[string]func(context.Context) error{"shop.Verify": func(ctx context.Context) error {
			time.Sleep(time.Second)
			return ctx.Err()
		}}
		time.Sleep(2 * budget)
		if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestAVerificationThatIsStoppedEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		newer := provision.Errorf(provision.CodeSuperseded, "newer")
		time.AfterFunc(7*time.Second, func() { cancel(newer) })
		c := &cluster{hold: map[string]func(context.Context) error{"shop.Verify": answers(says("502"))}}
		start := time.Now()
		if _, err := c.run(ctx, provision.OpProvision, 1); err != newer || time.Since(start) != 7*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestWhatAShopTellsIsKeptAndToldOnce(t *testing.T) {
	c := &cluster{}
	j, err := c.run(t.Context(), provision.OpProvision, 1)
	if err != nil || !c.Namespace.VerifiedBefore {
		t.Fatalf("%v, verified %t", err, c.Namespace.VerifiedBefore)
	}
	for _, step := range j {
		if reported := step.Outputs != nil; reported != (step.Name == provision.StepVerify && step.State == provision.StepDone) {
			t.Errorf("%s %s tells %v", step.Name, step.State, step.Outputs)
		}
	}
}

func TestAShopIsProvenOnlyByItsCheck(t *testing.T) {
	for _, failing := range []string{"shop.Verify", "shop.VerifyPublic"} {
		c := &cluster{fail: map[string]error{failing: provision.Errorf(provision.CodeConflict, "another owner's")}}
		r := c.runner()
		r.PublicClient = http.DefaultClient
		if err := r.Run(t.Context(), provision.OpProvision, store(1), func(provision.Step) {}); provision.CodeOf(err) != provision.CodeConflict {
			t.Errorf("%s failed, and the run ends with %v", failing, err)
		}
		if c.Namespace.VerifiedBefore || c.reached("shop.SaveVerification") {
			t.Errorf("%s failed, and the shop is verified", failing)
		}
	}
}

func TestAProofThatCannotBeKeptIsNone(t *testing.T) {
	away := provision.Errorf(provision.CodeUnavailable, "the API server is away")
	c := &cluster{fail: map[string]error{"shop.SaveVerification": away}}
	if _, err := c.run(t.Context(), provision.OpProvision, 1); err != away {
		t.Errorf("%v", err)
	}
}

// The public address is asked after the check through the cluster, as often as it takes, within the same budget.
func TestTheOutsideIsAskedUntilItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{"shop.VerifyPublic": answers(says("no DNS"), says("no TLS"), nil)}}
		r := c.runner()
		r.PublicClient = http.DefaultClient
		if err := r.Run(t.Context(), provision.OpProvision, store(1), func(provision.Step) {}); err != nil || c.called("shop.VerifyPublic") != 3 {
			t.Errorf("%v after %d visits", err, c.called("shop.VerifyPublic"))
		}
		c.restart()
		c.hold = map[string]func(context.Context) error{"shop.VerifyPublic": answers(says("GET https://shop/ got no answer: no DNS"))}
		start := time.Now()
		err := r.Run(t.Context(), provision.OpProvision, store(2), func(provision.Step) {})
		if provision.CodeOf(err) != provision.CodeTimeout || !strings.HasSuffix(provision.Public(err), "in time: GET https://shop/ got no answer: no DNS") || time.Since(start) > budget {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// TestAForcedVerificationIsThatOfANewShop: its owner may have changed what is not looked at any more.
func TestAForcedVerificationIsThatOfANewShop(t *testing.T) {
	for _, force := range [][]provision.Force{nil, {provision.ForceApply}, {provision.ForceVerify}} {
		c := &cluster{}
		if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
			t.Fatal(err)
		}
		s := store(2)
		s.Force = force
		if err := c.runner().Run(t.Context(), provision.OpProvision, s, func(provision.Step) {}); err != nil {
			t.Fatal(err)
		}
		if strict := !c.verifiedAs.VerifiedBefore; strict != s.Forced(provision.ForceVerify) {
			t.Errorf("with force %v the shop was verified as a new one: %t", force, strict)
		}
	}
}
