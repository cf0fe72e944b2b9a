package provision_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

// TestRunsSayWhatTheirWritesAreFor: a store begins until its release is applied, and what comes after it finishes the store.
func TestRunsSayWhatTheirWritesAreFor(t *testing.T) {
	begin, finish := provision.Writes{Class: provision.WriteBegin, Since: 7}, provision.Writes{Class: provision.WriteFinish}
	deletes := provision.Writes{Class: provision.WriteDelete, Since: 7}
	want := map[string]provision.Writes{"namespace.Ensure": begin, "credentials.Ensure": begin, "release.Apply": begin, "ready.Wait": finish, "shop.SaveVerification": finish,
		"namespace.MarkDeleting": deletes, "release.Remove": deletes, "volumes.Remove": deletes, "namespace.Remove": deletes}
	got, c := map[string]provision.Writes{}, &cluster{hold: map[string]func(context.Context) error{}}
	for call := range want {
		c.hold[call] = func(ctx context.Context) error { got[call] = provision.WritesOf(ctx); return nil }
	}
	for _, op := range []provision.Op{provision.OpProvision, provision.OpDelete} {
		if _, err := c.run(t.Context(), op, 7); err != nil {
			t.Fatal(err)
		}
	}
	for call, w := range want {
		if got[call] != w {
			t.Errorf("the writes of %s are %+v", call, got[call])
		}
	}
}

// turns count what has one just now.
type turns struct{ open, had int }

func (t *turns) Turn(ctx context.Context, do func(context.Context) error) error {
	t.open++
	t.had++
	defer func() { t.open-- }()
	return do(ctx)
}

// TestRunsHaveATurnWhileTheyBegin: one for each step, and none while they wait: for pods, or for the end of a delete.
func TestRunsHaveATurnWhileTheyBegin(t *testing.T) {
	c, turns := &cluster{}, &turns{}
	if _, err := c.run(t.Context(), provision.OpProvision, 1); err != nil {
		t.Fatal(err)
	}
	c.Namespace.Claimed = true // by a delete that did not end
	in := map[string]int{}
	c.hold = map[string]func(context.Context) error{}
	for _, call := range []string{"credentials.Ensure", "release.Apply", "namespace.Remove", "ready.Wait", "shop.SaveVerification"} {
		c.hold[call] = func(context.Context) error { in[call] = turns.open; return nil }
	}
	r := c.runner()
	r.Turns = turns
	if err := r.Run(t.Context(), provision.OpProvision, store(2), func(provision.Step) {}); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"credentials.Ensure": 1, "release.Apply": 1, "namespace.Remove": 0, "ready.Wait": 0, "shop.SaveVerification": 0}
	if diff := cmp.Diff(want, in); diff != "" || turns.had != 4 {
		t.Errorf("%d turns, and in one were (-want +got):\n%s", turns.had, diff)
	}
}

func TestMaintenanceStaysMaintenance(t *testing.T) {
	maintenance := provision.Writes{Class: provision.WriteMaintenance}
	ctx := provision.WithWrites(provision.WithWrites(t.Context(), maintenance), provision.Writes{Class: provision.WriteBegin})
	if got := provision.WritesOf(ctx); got != maintenance {
		t.Errorf("the writes are %+v", got)
	}
}
