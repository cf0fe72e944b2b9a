package provision_test

import (
	"context"
	"testing"

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

func TestMaintenanceStaysMaintenance(t *testing.T) {
	maintenance := provision.Writes{Class: provision.WriteMaintenance}
	ctx := provision.WithWrites(provision.WithWrites(t.Context(), maintenance), provision.Writes{Class: provision.WriteBegin})
	if got := provision.WritesOf(ctx); got != maintenance {
		t.Errorf("the writes are %+v", got)
	}
}
