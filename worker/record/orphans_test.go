package record

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/provision"
)

// orphanKind is what the contract says of the store, "" for one that is no orphan.
func (s *modelStore) orphanKind() provision.OrphanKind {
	n := s.newest()
	switch {
	case s.isDeleted() && s.retain && len(s.gens) > 0:
		return provision.OrphanRetained
	case s.isDeleted():
	case s.forgotten:
		return provision.OrphanForgotten
	case s.contested:
		return provision.OrphanContested
	case n.status == provision.StatusFailed && !s.ready:
		return provision.OrphanFailed
	}
	return ""
}

// checkOrphans compares the index of each kind.
func (m *machine) checkOrphans(t *rapid.T) {
	want, got := map[provision.OrphanKind][]string{}, map[provision.OrphanKind][]string{}
	for _, id := range propertyStores {
		if kind := m.stores[id].orphanKind(); kind != "" {
			want[kind] = append(want[kind], id)
		}
	}
	for _, kind := range provision.OrphanKinds {
		if ids := m.b.redis.ZRange(m.ctx, keyOrphansOf(kind), 0, -1).Val(); len(ids) > 0 {
			slices.Sort(ids)
			got[kind] = ids
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal("orphans: ", diff)
	}
}

// orphans are the ids of the orphans of a kind, the latest first.
func (b *bench) orphans(kind provision.OrphanKind) []string {
	b.Helper()
	ids := []string{}
	page, err := b.records.Requests.Orphans(b.ctx, kind, "", 100)
	for _, o := range must(b, page, err).Orphans {
		if o.Kind != kind || o.Since.IsZero() || o.Store.Generation == 0 {
			b.Errorf("orphan %+v", o)
		}
		ids = append(ids, o.Store.StoreID)
	}
	counts, err := b.records.Requests.CountOrphans(b.ctx)
	if n := must(b, counts, err)[kind]; int(n) != len(ids) {
		b.Errorf("%d orphans of kind %s are counted, %d are listed", n, kind, len(ids))
	}
	return ids
}

func (b *bench) wantOrphans(kind provision.OrphanKind, want ...string) {
	b.Helper()
	if got := b.orphans(kind); !slices.Equal(got, want) {
		b.Errorf("orphans of kind %s: %v, want %v", kind, got, want)
	}
}

func TestAStoreThatTheBackendDoesNotKnowIsForgotten(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.refuse("a", "404 no such store", true)
		b.wantOrphans(provision.OrphanForgotten, "a")
		b.end(b.accept(titled(request("a"), "known again")), provision.StatusReady)
		b.wantOrphans(provision.OrphanForgotten)
		b.refuse("a", "400 something else", false)
		b.wantOrphans(provision.OrphanForgotten)
	})
}

func TestAForgottenStoreIsOneUntilTheBackendTakesACallback(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		call := b.refuse("a", "404 no such store", true)
		b.wantReplay(call.ID(), provision.ReplayQueued)
		b.wantOrphans(provision.OrphanForgotten, "a")
		b.deliver("a")
		b.wantOrphans(provision.OrphanForgotten)
	})
}

func TestTheDeleteOfAForgottenStoreLeavesNoOrphan(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.refuse("a", "404 no such store", true)
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.refuse("a", "404 no such store", true)
		b.wantOrphans(provision.OrphanForgotten)
	})
}

// TestAnOlderOutcomeDoesNotMakeAStoreForgotten: the backend refuses DELETED of a store that was accepted anew.
func TestAnOlderOutcomeDoesNotMakeAStoreForgotten(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.accept(request("a"))
		b.refuse("a", "404 no such store", true)
		b.wantOrphans(provision.OrphanForgotten)
	})
}

func TestTheOwnerOfAWantedHostIsContested(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(onHost(request("a"), "one.example.com")), provision.StatusReady)
		b.deliver("a")
		_, err := b.records.Requests.Accept(b.ctx, onHost(request("b"), "one.example.com"), generationTimeout)
		if provision.CodeOf(err) != provision.CodeConflict || !strings.Contains(err.Error(), "host") {
			t.Fatal(err)
		}
		b.wantOrphans(provision.OrphanContested, "a")
		if by := b.state("a").ContestedBy; by != "b" {
			t.Errorf("contested by %q", by)
		}
		b.end(b.accept(onHost(request("a"), "one.example.com")), provision.StatusReady)
		b.wantOrphans(provision.OrphanContested)
	})
}

func TestRetainedDataIsAnOrphan(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("a")), provision.StatusReady)
		b.end(b.accept(retaining("a")), provision.StatusDeleted)
		b.wantOrphans(provision.OrphanRetained, "a")
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		b.wantOrphans(provision.OrphanRetained)
	})
}

func TestAStoreThatWasNeverReadyIsAFailedOrphan(t *testing.T) {
	each(t, func(b *bench) {
		b.end(b.accept(request("never")), provision.StatusFailed)
		b.end(b.accept(request("once")), provision.StatusReady)
		b.end(b.accept(titled(request("once"), "a change")), provision.StatusFailed)
		b.wantOrphans(provision.OrphanFailed, "never")
	})
}

func TestOrphansComeInPagesAndKeepTheirAge(t *testing.T) {
	each(t, func(b *bench) {
		for _, id := range []string{"a", "b", "c"} {
			b.end(b.accept(request(id)), provision.StatusFailed)
		}
		before, err := b.records.Requests.Orphans(b.ctx, provision.OrphanFailed, "", 2)
		if len(must(b, before, err).Orphans) != 2 || before.Orphans[0].Store.StoreID != "c" || before.Next == "" {
			t.Fatalf("first page %+v", before)
		}
		rest, err := b.records.Requests.Orphans(b.ctx, provision.OrphanFailed, before.Next, 2)
		if len(must(b, rest, err).Orphans) != 1 || rest.Orphans[0].Store.StoreID != "a" || rest.Next != "" {
			t.Fatalf("second page %+v", rest)
		}
		since := before.Orphans[0].Since
		if age := b.redis.Time(b.ctx).Val().Sub(since); age < 0 || age > time.Minute {
			t.Errorf("an orphan since %s", since)
		}
		b.refuse("c", "400 something", false)
		after, err := b.records.Requests.Orphans(b.ctx, provision.OrphanFailed, "", 1)
		if got := must(b, after, err).Orphans[0].Since; !got.Equal(since) {
			t.Errorf("an orphan since %s is one since %s after its callback was refused", since, got)
		}
		if _, err := b.records.Requests.Orphans(b.ctx, provision.OrphanFailed, "x", 1); provision.CodeOf(err) != provision.CodeInvalid {
			t.Errorf("a foreign cursor: %v", err)
		}
	})
}
