package provision_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
)

// beside is where restore tests are made; it refuses what is not one.
type beside struct {
	namespaces
	t *testing.T
}

func (b beside) Ensure(ctx context.Context, s provision.Store) (bool, error) {
	b.check(s)
	return b.namespaces.Ensure(ctx, s)
}

func (b beside) Remove(ctx context.Context, s provision.Store) error {
	b.check(s)
	if err := provision.FenceOf(ctx).Check(); err != nil {
		return err
	}
	return b.namespaces.Remove(ctx, s)
}

func (b beside) check(s provision.Store) {
	if !s.RestoreTest || s.Namespace != "restore-"+provision.StoreLabel("s") || s.StoreID != "s" || s.Rotation != 0 || s.Protected {
		b.t.Errorf("touched: %+v", s)
	}
}

func testedCluster(t *testing.T, c *cluster) *provision.Runner {
	r := c.runner()
	r.Namespaces, r.PublicClient = beside{namespaces{c}, t}, http.DefaultClient
	return r
}

func testedStore() (provision.Store, provision.Backup) {
	s := store(7)
	s.Rotation, s.Protected = 3, true
	return s, provision.Backup{Run: "r", At: time.Now().Add(-time.Hour), Secrets: "s"}
}

// TestARestoreTestThatPasses: restored, started and checked as a shop of its owner's, never at the store's address; nothing of it is left.
func TestARestoreTestThatPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		c.Namespace = &namespace{Generation: 6} // of one that ended in between
		c.hold = map[string]func(context.Context) error{"restore.Restore": func(context.Context) error { time.Sleep(20 * time.Second); return nil }}
		s, made := testedStore()
		passed, err := testedCluster(t, c).TestRestore(t.Context(), s, made)
		if err != nil || passed.Run != "r" || passed.Seconds != 20 || !passed.BackupAt.Equal(made.At) || time.Since(passed.At) > time.Second {
			t.Errorf("%+v, %v", passed, err)
		}
		want := []string{"namespace.Remove", "namespace.Ensure", "credentials.Ensure", "restore.Restored", "release.Apply", "ready.Wait", "restore.Restore", "release.Apply", "ready.Wait",
			"shop.Open", "shop.Verify", "shop.close", "shop.SaveVerification", "namespace.Remove"}
		if !slices.Equal(c.calls, want) {
			t.Errorf("%q, want %q", c.calls, want)
		}
		if !c.verifiedAs.VerifiedBefore || len(c.passed) != 1 || c.passed[0] != passed || c.Namespace != nil {
			t.Errorf("verified as %+v, saved %+v, left %+v", c.verifiedAs, c.passed, c.Namespace)
		}
	})
}

// TestARestoreTestThatDoesNotPass says why, whatever fails, and leaves nothing.
func TestARestoreTestThatDoesNotPass(t *testing.T) {
	for _, fails := range []string{"namespace.Ensure", "credentials.Ensure", "restore.Restored", "release.Apply", "ready.Wait", "restore.Restore", "shop.Verify", "shop.SaveVerification"} {
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{fail: map[string]error{fails: provision.Errorf(provision.CodeConflict, "no good")}}
			s, made := testedStore()
			_, err := testedCluster(t, c).TestRestore(t.Context(), s, made)
			if provision.Public(err) != "no good" || len(c.passed) > 0 || c.Namespace != nil || c.calls[len(c.calls)-1] != "namespace.Remove" {
				t.Errorf("%s: %v, after %q", fails, err, c.calls)
			}
		})
	}
}

// TestARestoreTestThatCannotBegin: where what is left of another cannot be removed, or this worker restores nothing.
func TestARestoreTestThatCannotBegin(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*provision.Runner, *cluster, *provision.Store)
		code   provision.Code
	}{
		"a leftover": {func(_ *provision.Runner, c *cluster, _ *provision.Store) {
			c.fail = map[string]error{"namespace.Remove": provision.Errorf(provision.CodeTimeout, "held")}
		}, provision.CodeTimeout},
		"no gate":           {func(r *provision.Runner, _ *cluster, _ *provision.Store) { r.Restorer = nil }, provision.CodeUnavailable},
		"an unknown engine": {func(_ *provision.Runner, _ *cluster, s *provision.Store) { s.Engine = "another" }, provision.CodeInvalid},
	} {
		c := &cluster{}
		r := testedCluster(t, c)
		s, made := testedStore()
		test.change(r, c, &s)
		if _, err := r.TestRestore(t.Context(), s, made); provision.CodeOf(err) != test.code || c.reached("restore.Restore", "release.Apply") {
			t.Errorf("%s: %v, after %q", name, err, c.calls)
		}
	}
}

// lost is a fence of a lease that another run has.
type lost struct{}

func (lost) Check() error                  { return errors.New("the lease is lost") }
func (lost) Confirm(context.Context) error { return errors.New("the lease is lost") }

// TestARestoreTestMakesWay for what is asked of the store, at once, though a namespace takes its time to go; what it has made is removed without the lease.
func TestARestoreTestMakesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		superseded := errors.New("superseded")
		ctx, cancel := context.WithCancelCause(provision.WithFence(t.Context(), lost{}))
		c, removes := &cluster{}, 0
		c.hold = map[string]func(context.Context) error{
			"restore.Restore": func(ctx context.Context) error { cancel(superseded); <-ctx.Done(); return ctx.Err() },
			"namespace.Remove": func(ctx context.Context) error {
				if removes++; removes > 1 {
					<-ctx.Done()
				}
				return nil
			},
		}
		r := testedCluster(t, c)
		r.Namespaces = unfenced{beside{namespaces{c}, t}}
		s, made := testedStore()
		start := time.Now()
		_, err := r.TestRestore(ctx, s, made)
		if took := time.Since(start); !errors.Is(err, superseded) || took > time.Second || removes != 2 {
			t.Errorf("%v after %s, removed %d times", err, took, removes)
		}
	})
}

// unfenced lets the first removal pass without a lease, which is not what is looked at.
type unfenced struct{ beside }

func (u unfenced) Remove(ctx context.Context, s provision.Store) error {
	if u.called("namespace.Ensure") == 0 {
		return u.namespaces.Remove(ctx, s)
	}
	return u.beside.Remove(ctx, s)
}

// TestEndRestoreTest removes what is beside a store, and nothing of the store.
func TestEndRestoreTest(t *testing.T) {
	c := &cluster{}
	s, _ := testedStore()
	if err := testedCluster(t, c).EndRestoreTest(t.Context(), s); err != nil || !slices.Equal(c.calls, []string{"namespace.Remove"}) {
		t.Errorf("%v, %q", err, c.calls)
	}
}
