//go:build devcluster

package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

// recall returns the recorded state of the store; nil if there is none.
func recall(t *testing.T, c *Cluster, s provision.Store) *provision.SavedState {
	t.Helper()
	all, err := c.State.ListStores(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all.Stores {
		if m.Store.Namespace == s.Namespace {
			return &m
		}
	}
	return nil
}

func TestStateRecordsWhatRedisMayLose(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	want := provision.SavedState{Store: s, Op: provision.OpProvision}
	check := func(when string) {
		t.Helper()
		if got := recall(t, c, s); got == nil {
			t.Errorf("%s: nothing is remembered", when)
		} else if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("begun")

	failed := provision.Outcome{Generation: s.Generation, Status: provision.StatusFailed, Code: provision.CodeImage, Error: `no "image"`}
	want.Outcome = &failed
	note(t, c.State.SaveOutcome(t.Context(), s, failed))
	check("failed")

	want.Delivered = true
	note(t, c.State.SaveDelivered(t.Context(), s, provision.StatusFailed))
	check("delivered")

	ready := provision.Outcome{Generation: s.Generation, Status: provision.StatusReady}
	want.Outcome, want.Delivered = &ready, false
	note(t, c.State.SaveOutcome(t.Context(), s, ready))
	check("ready after all, and not delivered")

	want.Store.Protected = true
	note(t, c.State.SaveProtected(t.Context(), s, true))
	check("protected")
	want.Store.Protected = false
	note(t, c.State.SaveProtected(t.Context(), s, false))
	check("not protected any more")

	older := s
	older.Generation--
	note(t, c.State.SaveOutcome(t.Context(), older, failed))
	check("after an older generation spoke")

	next := s
	next.Generation++
	next.Suspended, next.Protected = true, true
	if _, err := c.Namespaces.Ensure(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	want = provision.SavedState{Store: next, Op: provision.OpProvision}
	check("the next generation")
}

func TestStateRecordsNothingWithoutANamespace(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := devStore(t, c)
	note(t, c.State.SaveOutcome(t.Context(), s, provision.Outcome{Generation: 1, Status: provision.StatusFailed}))
	if got := recall(t, c, s); got != nil {
		t.Errorf("remembered %+v", got)
	}
	stranger := s
	stranger.Namespace = "default"
	note(t, c.State.SaveOutcome(t.Context(), stranger, provision.Outcome{Generation: 1, Status: provision.StatusFailed}))
}

func note(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
