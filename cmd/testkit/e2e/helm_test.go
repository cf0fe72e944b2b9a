//go:build devcluster

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// TestHelmReadsAndChangesOurReleases: the records are written by us, and an operator looks at them, rolls back and uninstalls with Helm's own program.
// What that has changed, the next request mends.
func TestHelmReadsAndChangesOurReleases(t *testing.T) {
	t.Parallel()
	r, s := newRig(t), store(t, "woocommerce")
	s.Settings.Title = "One title"
	r.start("worker")
	ready := func(nth int) {
		t.Helper()
		r.submit(s)
		r.awaitStatus(s.StoreID, provision.StatusReady, nth)
	}
	ready(1)
	h := helm{t, s}

	h.wantRevision(1, "deployed")
	for _, says := range []struct{ what, text string }{
		{"manifest", "kind: StatefulSet"}, {"values", s.Settings.Title}, {"metadata", "CHART: woocommerce"}, {"all", "HOOKS:"},
	} {
		if got := h.run("get", says.what, s.Name); !strings.Contains(got, says.text) {
			t.Errorf("helm get %s does not say %q:\n%s", says.what, says.text, got)
		}
	}
	if got := h.run("list", "--all", "--short"); strings.TrimSpace(got) != s.Name {
		t.Errorf("helm list: %q", got)
	}

	first := h.run("get", "manifest", s.Name)
	s.Settings.Title = "Another title"
	ready(2)
	h.wantRevision(2, "deployed")
	if h.run("get", "manifest", s.Name) == first {
		t.Error("another title has changed nothing")
	}
	h.run("rollback", s.Name, "1", "--no-hooks")
	h.wantRevision(3, "deployed")
	if got := h.run("get", "manifest", s.Name); got != first {
		t.Error("a rollback to revision 1 has another manifest")
	}
	ready(3)
	if got := h.run("get", "values", s.Name); !strings.Contains(got, s.Settings.Title) {
		t.Errorf("the request after a rollback leaves the values\n%s", got)
	}

	h.run("uninstall", s.Name, "--no-hooks")
	ready(4)
	h.wantRevision(1, "deployed")
}

// What an operator has changed with Helm's own program is undone by an audit, without a request: Helm copies the labels of the record that it starts from, so that
// they do not say what the new one holds.
func TestAnAuditUndoesWhatHelmHasChanged(t *testing.T) {
	t.Parallel()
	r, s := newRig(t, "ORCH_DRIFT=repair", "ORCH_AUDIT_EVERY=1s"), store(t, "woocommerce")
	r.start("worker")
	h := helm{t, s}
	for nth, title := range []string{"One title", "Another title"} {
		s.Settings.Title = title
		r.submit(s)
		r.awaitStatus(s.StoreID, provision.StatusReady, nth+1)
	}
	undone := func(what, mark string) {
		t.Helper()
		before := h.last().Revision
		r.eventually("what "+what+" has changed is undone", time.Minute, func() bool {
			time.Sleep(200 * time.Millisecond)
			values := h.run("get", "values", s.Name)
			return h.last().Status == "deployed" && strings.Contains(values, "Another title") && !strings.Contains(values, mark) && h.last().Revision >= before
		})
	}
	h.run("rollback", s.Name, "1", "--no-hooks")
	undone("a rollback", "One title")
	chart := chartCopy(t, "woocommerce")
	h.run("upgrade", s.Name, chart, "--reuse-values", "--no-hooks", "--set", "common.headroom.pods=9")
	undone("an upgrade", "pods: 9")
	if n := len(r.backend.of(s.StoreID)); n != 2 {
		t.Errorf("%d callbacks, want those of the two requests", n)
	}
}

// revision is one of what helm history lists.
type revision struct {
	Revision int
	Status   string
	Chart    string
}

func (h helm) last() revision {
	h.t.Helper()
	var history []revision
	if err := json.Unmarshal([]byte(h.run("history", h.s.Name, "--output", "json")), &history); err != nil {
		h.t.Fatal(err)
	}
	return history[len(history)-1]
}

// wantRevision checks what helm history says of the newest revision.
func (h helm) wantRevision(n int, status string) {
	h.t.Helper()
	if last := h.last(); last.Revision != n || last.Status != status || !strings.HasPrefix(last.Chart, "woocommerce-") {
		h.t.Errorf("helm history ends with %+v, want revision %d %s", last, n, status)
	}
}
