package record

import (
	"strings"

	"pgregory.net/rapid"

	"orchestrator/provision"
)

func (m *machine) cancel(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	newest := m.stores[id].newest()
	cancelled, next, found, err := m.r.Requests.Cancel(m.ctx, id, 0)
	want(t, "cancel finds the store", found, newest.Generation != 0)
	if !found {
		return
	}
	why, expected := m.model.cancel(id)
	if why != "" {
		if provision.CodeOf(err) != provision.CodeConflict || !strings.Contains(provision.Public(err), why) {
			t.Fatalf("cancel of store %s: %v, want a conflict that says %q", id, err, why)
		}
		return
	}
	ok(t, err)
	want(t, "cancelled", cancelled, provision.Cancelled{Action: newest.Op, Generation: newest.Generation, Status: newest.Op.Failure()})
	wantTasks(t, next, expected)
}

func (m *machine) retry(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	s := m.stores[id]
	before := s.newest()
	force := pick(t, "force", []string{"", "apply", "apply verify"})
	task, joined, found, err := m.r.Requests.Repeat(m.ctx, id, 0, forcesOf(force), generationTimeout)
	want(t, "retry finds the store", found, before.Generation != 0)
	if !found {
		return
	}
	req, some := s.retry()
	if !some || m.refusal(req) != "" {
		if provision.CodeOf(err) != provision.CodeConflict {
			t.Fatalf("retry of store %s: %v, want a conflict", id, err)
		}
		if some && m.refusal(req) == "host" {
			m.stores[m.hosts[req.Host]].contested = true
		}
		return
	}
	ok(t, err)
	joins := m.joins(req) && covers(before.force, force)
	want(t, "joined", joined, joins)
	if joins {
		want(t, "joined generation", task.Generation, before.Generation)
		return
	}
	g := m.model.accept(req, task.Generation)
	g.force = force
}

// covers reports whether all words of more are among those of force.
func covers(force, more string) bool {
	for _, word := range strings.Fields(more) {
		if !strings.Contains(force, word) {
			return false
		}
	}
	return true
}
