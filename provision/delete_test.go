package provision_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestDeleteOfNothingIsSuccess(t *testing.T) {
	c := &cluster{}
	j, err := c.run(t.Context(), provision.OpDelete, 1)
	if err != nil || c.writes != 0 {
		t.Errorf("%v after %d writes", err, c.writes)
	}
	if diff := cmp.Diff([]string{"namespace started", "namespace done"}, j.entries()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

// several has the store in two namespaces, as a rename by hand may have left it.
type several struct{ namespaces }

func (c several) MarkDeleting(_ context.Context, _ provision.Op, s provision.Store) ([]provision.Store, error) {
	a, b := s, s
	a.Namespace, b.Namespace = "a", "b"
	return []provision.Store{a, b}, nil
}

func (c several) Remove(_ context.Context, s provision.Store) error {
	c.calls = append(c.calls, "remove "+s.Namespace)
	return c.fail[s.Namespace]
}

func TestDeleteClearsEveryPlace(t *testing.T) {
	c := &cluster{}
	r := c.runner()
	r.Namespaces = several{namespaces{c}}
	if err := r.Run(t.Context(), provision.OpDelete, store(1), func(provision.Step) {}); err != nil {
		t.Fatal(err)
	}
	if c.called("remove a") != 1 || c.called("remove b") != 1 {
		t.Errorf("calls: %v", c.calls)
	}
	c = &cluster{fail: map[string]error{"a": provision.Errorf(provision.CodeConflict, "not ours")}}
	r = c.runner()
	r.Namespaces = several{namespaces{c}}
	if err := r.Run(t.Context(), provision.OpDelete, store(1), func(provision.Step) {}); provision.CodeOf(err) != provision.CodeConflict {
		t.Errorf("the failure of the first place became %v", err)
	}
}

// hangs waits until its time is over and says what held it up, or only that its time was over.
func hangs(naming string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		if naming != "" && provision.CodeOf(context.Cause(ctx)) == provision.CodeTimeout {
			return provision.Errorf(provision.CodeTimeout, "%s", naming)
		}
		return ctx.Err()
	}
}

func TestADeleteThatHangsNamesWhatHoldsIt(t *testing.T) {
	const finalizer = "namespace ns was not gone in time: it has the finalizers example.com/hold"
	for name, want := range map[string]string{"named": finalizer, "": "the store was not deleted within 10m0s"} {
		naming := ""
		if name == "named" {
			naming = finalizer
		}
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{}
			exists(t, c)
			c.hold = map[string]func(context.Context) error{"namespace.Remove": hangs(naming)}
			start := time.Now()
			j, err := c.run(t.Context(), provision.OpDelete, 2)
			if provision.CodeOf(err) != provision.CodeTimeout || provision.Public(err) != want {
				t.Errorf("%s: %v", provision.CodeOf(err), err)
			}
			if j.last().Error != want {
				t.Errorf("the journal says %q", j.last().Error)
			}
			if took := time.Since(start); took != deleteTimeout {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestAClaimThatHangsEndsInTimeToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{hold: map[string]func(context.Context) error{"namespace.MarkDeleting": hangs("")}}
		if _, err := c.run(t.Context(), provision.OpDelete, 2); provision.CodeOf(err) != provision.CodeTimeout {
			t.Errorf("%v", err)
		}
	})
}

func TestADeleteThatIsStoppedDidNotTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		exists(t, c)
		c.hold = map[string]func(context.Context) error{"volumes.Remove": hangs("something")}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopping := provision.Errorf(provision.CodeUnavailable, "stopping")
		time.AfterFunc(time.Minute, func() { cancel(stopping) })
		if _, err := c.run(ctx, provision.OpDelete, 2); err != stopping {
			t.Errorf("%v", err)
		}
	})
}

func TestAnUnfinishedDeleteIsFinishedFirst(t *testing.T) {
	c := &cluster{}
	exists(t, c)
	c.Namespace.Claimed = true
	old := c.Namespace.Secret[provision.AdminPassword]
	c.restart()
	j, err := c.run(t.Context(), provision.OpProvision, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]string{"namespace.Ensure", "namespace.MarkDeleting", "release.Remove", "volumes.Remove", "namespace.Remove"}, provisioning...)
	if diff := cmp.Diff(want, c.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got := c.Namespace.Secret[provision.AdminPassword]; got == old || got == "" {
		t.Errorf("the new store's password is %q, the deleted one's was %q", got, old)
	}
	if shown := strings.Join(j.entries()[:4], ", "); shown != "namespace started, release started, release done, volumes started" {
		t.Errorf("the journal begins %s", shown)
	}
	for _, step := range j[1:7] {
		if step.Op != provision.OpDelete {
			t.Errorf("the journal has %s of %s, want it as part of a delete", step.Name, step.Op)
		}
	}
}

func TestAnUnfinishedDeleteThatFailsEndsTheProvision(t *testing.T) {
	c := &cluster{fail: map[string]error{"volumes.Remove": provision.Errorf(provision.CodeTimeout, "volume v is held")}}
	exists(t, c)
	c.Namespace.Claimed = true
	c.restart()
	if _, err := c.run(t.Context(), provision.OpProvision, 2); provision.CodeOf(err) != provision.CodeTimeout {
		t.Errorf("%v", err)
	}
	if c.reached("credentials.Ensure", "release.Apply") {
		t.Errorf("calls: %v", c.calls)
	}
}

// terminating never ends: the namespace is still there after its removal was reported.
type terminating struct{ namespaces }

func (terminating) Ensure(context.Context, provision.Store) (bool, error) { return true, nil }

func TestANamespaceThatIsStillGoingIsComeBackTo(t *testing.T) {
	c := &cluster{}
	r := c.runner()
	r.Namespaces = terminating{namespaces{c}}
	err := r.Run(t.Context(), provision.OpProvision, store(1), func(provision.Step) {})
	if provision.CodeOf(err) != provision.CodeUnavailable || c.reached("credentials.Ensure") {
		t.Errorf("%v after %v", err, c.calls)
	}
}

func TestADeleteMayRetainTheData(t *testing.T) {
	c := &cluster{}
	exists(t, c)
	secret := c.Namespace.Secret[provision.AdminPassword]
	c.restart()
	c.retain = true
	j, err := c.run(t.Context(), provision.OpDelete, 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"release started", "release done", "volumes started", "volumes done"}, j.entries()); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
	if c.Release != "" || c.Volumes != 2 || c.Namespace == nil {
		t.Fatalf("left %+v", c.state)
	}
	if _, err := c.run(t.Context(), provision.OpProvision, 3); err != nil {
		t.Fatal(err)
	}
	if got := c.Namespace.Secret[provision.AdminPassword]; got != secret {
		t.Errorf("the password became %q, was %q", got, secret)
	}
	if c.reached("volumes.Remove", "namespace.Remove") {
		t.Errorf("calls: %v", c.calls)
	}
	c.retain = false
	if _, err := c.run(t.Context(), provision.OpDelete, 4); err != nil || c.Namespace != nil || c.Volumes != 0 {
		t.Errorf("%v, left %+v", err, c.state)
	}
}

func TestARetainingDeleteWaitsUntilNothingWrites(t *testing.T) {
	held := provision.Errorf(provision.CodeTimeout, "pod shop is still there")
	c := &cluster{retain: true, fail: map[string]error{"volumes.Detach": held}}
	exists(t, c)
	if _, err := c.run(t.Context(), provision.OpDelete, 2); err != held {
		t.Errorf("%v", err)
	}
}
