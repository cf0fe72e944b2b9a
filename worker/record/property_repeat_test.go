package record

import (
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"orchestrator/provision"
)

func (m *machine) cancel(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	newest := m.stores[id].newest()
	cancelled, next, found, err := m.r.Repeats.Cancel(m.ctx, id, 0)
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
	a, found, err := m.r.Repeats.Repeat(m.ctx, id, 0, forcesOf(force), generationTimeout)
	want(t, "retry finds the store", found, before.Generation != 0)
	if !found {
		return
	}
	req, some := s.retry()
	joins := some && m.joins(req) && covers(before.force, force)
	if !some || m.refusalUnless(joins, req) != "" {
		if provision.CodeOf(err) != provision.CodeConflict {
			t.Fatalf("retry of store %s: %v, want a conflict", id, err)
		}
		if some && m.refusalUnless(joins, req) == "host" {
			m.stores[m.hosts[req.Host]].contested = true
		}
		return
	}
	ok(t, err)
	if joined(t, a, before, joins) {
		return
	}
	g := m.model.accept(req, a.Generation)
	g.force = force
}

// joined reports whether a request joins the newest one, as it is expected to.
func joined(t *rapid.T, a provision.Accepted, before *generation, joins bool) bool {
	want(t, "joined", a.Joined, joins)
	if joins {
		want(t, "joined generation", a.Generation, before.Generation)
	}
	return joins
}

// refuses reports whether a repetition of the newest request is refused, and checks that its error says so: for a reason of its own, or since the host is
// another store's, which is contested from then on.
func (m *machine) refuses(t *rapid.T, what string, before *generation, refused, joins bool, err error) bool {
	if !refused && m.refusalUnless(joins, before.req) == "" {
		ok(t, err)
		return false
	}
	if provision.CodeOf(err) != provision.CodeConflict {
		t.Fatalf("%s store %s: %v, want a conflict", what, before.req.StoreID, err)
	}
	if !refused {
		m.stores[m.hosts[before.req.Host]].contested = true
	}
	return true
}

// suspend suspends or resumes a store.
func (m *machine) suspend(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	s := m.stores[id]
	before := s.newest()
	suspended := rapid.Bool().Draw(t, "suspended")
	change := func() (provision.Accepted, bool, error) {
		if suspended {
			return m.r.Repeats.Suspend(m.ctx, id, 0, "unpaid", generationTimeout)
		}
		return m.r.Repeats.Resume(m.ctx, id, 0, generationTimeout)
	}
	a, found, err := change()
	want(t, "the store is found", found, before.Generation != 0)
	if !found {
		return
	}
	joins := before.Op == provision.OpProvision && before.status == "" && before.suspends == suspended && before.grave == ""
	if m.refuses(t, "suspending", before, before.Op == provision.OpDelete, joins, err) {
		return
	}
	if joined(t, a, before, joins) {
		return
	}
	m.model.accept(before.req, a.Generation).suspends = suspended
	s.suspended = suspended
}

// deleteLater has a store stopped, and deleted some time.
func (m *machine) deleteLater(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	s := m.stores[id]
	before, suspended := s.newest(), s.suspended
	quiet := rapid.Bool().Draw(t, "quiet")
	a, found, err := m.r.Repeats.DeleteLater(m.ctx, id, 0, provision.Grace{For: time.Hour, Quiet: quiet}, generationTimeout)
	keeps := before.Generation != 0 && before.Op == provision.OpProvision && s.ready
	want(t, "the store has something to keep", found, keeps)
	if !found {
		ok(t, err)
		return
	}
	joins := before.grave != ""
	if m.refuses(t, "deleting later", before, !joins && s.protected, joins, err) {
		return
	}
	if joined(t, a, before, joins) {
		return
	}
	g := m.model.accept(before.req, a.Generation)
	s.suspended, g.suspends = true, true
	switch {
	case !quiet:
		g.grave = graveTold
	case suspended:
		g.grave = graveQuietSuspended
	default:
		g.grave = graveQuiet
	}
}

// rotate has a store given other credentials.
func (m *machine) rotate(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	s := m.stores[id]
	before := s.newest()
	a, found, err := m.r.Repeats.Rotate(m.ctx, id, 0, generationTimeout)
	want(t, "the store is found", found, before.Generation != 0)
	if !found {
		return
	}
	joins := before.Op == provision.OpProvision && before.status == "" && before.rotates && before.grave == ""
	refused := before.Op == provision.OpDelete || s.suspended && !joins && !s.starts(before.req)
	if m.refuses(t, "rotating", before, refused, joins, err) {
		return
	}
	if joined(t, a, before, joins) {
		return
	}
	m.model.accept(before.req, a.Generation).rotates = true
	s.rotations = append(s.rotations, a.Generation)
}

// protect has deletes of a store refused, or lifts that.
func (m *machine) protect(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	s := m.stores[id]
	protected := rapid.IntRange(0, 3).Draw(t, "protected") == 0
	found, err := m.r.Repeats.Protect(m.ctx, id, protected)
	switch {
	case len(s.gens) == 0:
		want(t, "the store is found", found, false)
	case s.isDeleted() && !s.retain:
		want(t, "protecting what is deleted", provision.CodeOf(err), provision.CodeConflict)
	default:
		ok(t, err)
		s.protected = protected
	}
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

// releaseHolds lets all go on.
func (m *machine) releaseHolds(t *rapid.T) {
	for _, engine := range []string{"woocommerce", "medusa"} {
		found, err := m.r.Fleet.ReleaseHold(m.ctx, provision.DefaultCluster, engine)
		ok(t, err)
		want(t, "was on hold: "+engine, found, m.held[engine])
		m.model.releaseHold(engine)
	}
}

// checkQuotas compares which stores count for their creators.
func (m *machine) checkQuotas(t *rapid.T) {
	for _, creator := range []string{"x", "y"} {
		var counted []string
		for _, id := range propertyStores {
			if s := m.stores[id]; s.creator() == creator && (!s.isDeleted() || s.retain) {
				counted = append(counted, id)
			}
		}
		stored := m.b.redis.SMembers(m.ctx, keyCreatorStores(creator)).Val()
		slices.Sort(stored)
		if !slices.Equal(counted, stored) {
			t.Fatalf("stores of creator %s: %v, want %v", creator, stored, counted)
		}
	}
}

// creator is who the newest provision says.
func (s *modelStore) creator() string {
	for _, g := range slices.Backward(s.gens) {
		if g.Op == provision.OpProvision {
			return g.req.CreatorID
		}
	}
	return ""
}
