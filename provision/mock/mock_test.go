package mock_test

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
	"orchestrator/provision/mock"
)

type engine struct{}

func (engine) Release(provision.Store) (provision.Release, error) { return provision.Release{}, nil }
func (engine) Verify(context.Context, provision.Store, provision.Shop) (provision.Outputs, error) {
	return nil, errors.New("there is no shop to ask")
}
func (engine) VerifyPublic(context.Context, provision.Store, provision.Shop) error {
	return errors.New("there is no shop to ask")
}

func run(ctx context.Context, step time.Duration, op provision.Op) (entries []string, err error) {
	runner := mock.Cluster{StepTime: step}.Runner(map[string]provision.Engine{"toy": engine{}}, time.Minute, time.Minute)
	s := provision.Store{Request: provision.Request{StoreID: "s", Engine: "toy"}, Generation: 1}
	err = runner.Run(ctx, op, s, func(s provision.Step) { entries = append(entries, s.Name+" "+string(s.State)) })
	return entries, err
}

func TestEveryStepIsSimulated(t *testing.T) {
	for op, want := range map[provision.Op][]string{
		provision.OpProvision: {"namespace started", "namespace done", "credentials started", "credentials done", "release started", "release done", "ready started", "ready done"},
		provision.OpDelete:    {"release started", "release done", "volumes started", "volumes done", "namespace started", "namespace done"},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			got, err := run(t.Context(), time.Second, op)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", op, err, diff)
			}
			steps := time.Duration(len(want) / 2)
			if took := time.Since(start); took < steps*time.Second/2 || took > steps*3*time.Second/2 {
				t.Errorf("%s took %s", op, took)
			}
		})
	}
}

func TestNoStepTimeIsNoTime(t *testing.T) {
	if _, err := run(t.Context(), 0, provision.OpProvision); err != nil {
		t.Error(err)
	}
}

func TestACancelledRunEndsAtOnceWithItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		newer := provision.Errorf(provision.CodeSuperseded, "newer")
		time.AfterFunc(time.Second, func() { cancel(newer) })
		start := time.Now()
		if _, err := run(ctx, time.Hour, provision.OpProvision); err != newer || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

type closed struct{ err error }

func (c closed) Check() error                  { return c.err }
func (c closed) Confirm(context.Context) error { return c.err }

func TestAFencedRunDoesNothing(t *testing.T) {
	lost := provision.Errorf(provision.CodeUnavailable, "lost")
	for _, op := range []provision.Op{provision.OpProvision, provision.OpDelete} {
		entries, err := run(provision.WithFence(t.Context(), closed{lost}), 0, op)
		if err != lost || len(entries) != 2 {
			t.Errorf("%s: %v after %v", op, err, entries)
		}
	}
}

func TestPasswordIsTheStoresOwnAndStays(t *testing.T) {
	password := func(token, id string) string {
		p, err := mock.Passwords{Token: token}.Password(t.Context(), provision.Store{Request: provision.Request{StoreID: id}})
		if err != nil || !regexp.MustCompile(`^[a-z2-7]{24}$`).MatchString(p) {
			t.Fatalf("password %q, %v", p, err)
		}
		return p
	}
	a := password("t", "a")
	if password("t", "a") != a {
		t.Error("a store's password changes")
	}
	if password("t", "b") == a || password("u", "a") == a {
		t.Error("two stores or two tokens share a password")
	}
}

// TestARolloutPassesOverSimulatedStores: there is one edition, so that each store has it.
func TestARolloutPassesOverSimulatedStores(t *testing.T) {
	runner := mock.Cluster{}.Runner(map[string]provision.Engine{"toy": engine{}}, time.Minute, time.Minute)
	s := provision.Store{Request: provision.Request{StoreID: "s", Engine: "toy"}, Generation: 1}
	got, err := runner.Upgrade(t.Context(), s, anyTurn{})
	if err != nil || got.Result != provision.UpgradeDone {
		t.Errorf("%+v, %v", got, err)
	}
	if found, err := runner.Audit(t.Context(), s, true); err != nil || len(found.Drift) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// anyTurn permits every upgrade.
type anyTurn struct{}

func (anyTurn) Begin(context.Context, string, bool) (provision.UpgradeTerms, error) {
	return provision.UpgradeTerms{}, nil
}

func (anyTurn) BackedUp(context.Context, provision.Backup) error { return nil }
