package record

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"orchestrator/provision"
)

func (b *bench) quota(creator string) provision.Quota {
	b.Helper()
	q, err := b.records.Fleet.Quota(b.ctx, creator)
	return must(b, q, err)
}

func (b *bench) overQuota(req provision.Request) bool {
	b.Helper()
	_, err := b.records.Requests.Accept(b.ctx, req, generationTimeout)
	if err != nil && provision.CodeOf(err) != provision.CodeQuota {
		b.Fatal(err)
	}
	return err != nil
}

// TestExactlyAsManyStoresAsAllowed: whatever is asked for at the same time.
func TestExactlyAsManyStoresAsAllowed(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{StoresPerCreator: 5})
		var accepted atomic.Int64
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if _, err := b.records.Requests.Accept(b.ctx, ofCreator("x", fmt.Sprint("s", i)), generationTimeout); err == nil {
					accepted.Add(1)
				} else if provision.CodeOf(err) != provision.CodeQuota || !strings.Contains(provision.Public(err), "which is 5") {
					b.Error(err)
				}
			})
		}
		all.Wait()
		if q := b.quota("x"); accepted.Load() != 5 || q != (provision.Quota{CreatorID: "x", Stores: 5, Most: 5}) {
			b.Errorf("%d accepted, %+v", accepted.Load(), q)
		}
		if b.overQuota(ofCreator("y", "other")) || b.overQuota(request("of no creator")) {
			b.Error("others are refused")
		}
	})
}

// TestWhatCountsForAQuota: stores that are not gone, and retained data; a change of a store never does.
func TestWhatCountsForAQuota(t *testing.T) {
	each(t, func(b *bench) {
		b.set(Options{StoresPerCreator: 1})
		store := ofCreator("x", "a")
		b.madeReady(store)
		if b.overQuota(titled(store, "another title")) || !b.overQuota(ofCreator("x", "b")) {
			b.Error("with one store")
		}
		b.end(b.accept(retaining("a")), provision.StatusDeleted)
		if !b.overQuota(ofCreator("x", "b")) || b.overQuota(store) {
			b.Error("with retained data, which its own store may have again")
		}
		b.end(b.accept(deletion("a")), provision.StatusDeleted)
		if b.quota("x").Stores != 0 || b.overQuota(ofCreator("x", "b")) {
			b.Errorf("after the delete: %+v", b.quota("x"))
		}
		moved := ofCreator("y", "b")
		moved.Settings.Title = "moved"
		if b.overQuota(moved) || b.quota("x").Stores != 0 || b.quota("y").Stores != 1 {
			b.Errorf("moved to another creator: %+v, %+v", b.quota("x"), b.quota("y"))
		}
		three := int64(3)
		if err := b.records.Fleet.SetQuota(b.ctx, "y", &three); err != nil {
			b.Fatal(err)
		}
		if b.overQuota(ofCreator("y", "c")) || b.overQuota(ofCreator("y", "d")) || !b.overQuota(ofCreator("y", "e")) || !b.quota("y").Own {
			b.Errorf("with a quota of its own: %+v", b.quota("y"))
		}
		if err := b.records.Fleet.SetQuota(b.ctx, "y", nil); err != nil || !b.overQuota(ofCreator("y", "f")) || b.quota("y").Own {
			b.Error("as for all again: ", err)
		}
	})
}

// TestOldRecordsAreCounted: those that were written by a version before, and those that are restored after a loss of Redis.
func TestOldRecordsAreCounted(t *testing.T) {
	each(t, func(b *bench) {
		for i := range 3 {
			b.madeReady(ofCreator("x", fmt.Sprint(i)))
		}
		b.redis.Del(b.ctx, keyCreatorStores("x"))
		for i := range 3 {
			b.redis.HDel(b.ctx, keyStore(fmt.Sprint(i)), "counted_for")
		}
		b.set(Options{StoresPerCreator: 3})
		if !b.overQuota(ofCreator("x", "fourth")) || b.quota("x").Stores != 3 {
			b.Errorf("counted: %+v", b.quota("x"))
		}
		b.flush()
		b.markComplete()
		saved := provision.SavedState{Store: provision.Store{Request: ofCreator("x", "0"), Generation: 7}, Op: provision.OpProvision}
		if _, err := b.records.Recovery.Restore(b.ctx, "default", saved, generationTimeout); err != nil {
			b.Fatal(err)
		}
		if b.overQuota(ofCreator("x", "1")) || b.overQuota(ofCreator("x", "2")) || !b.overQuota(ofCreator("x", "3")) {
			b.Errorf("restored: %+v", b.quota("x"))
		}
	})
}
