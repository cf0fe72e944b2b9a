package record

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// found are the ids of all pages that a filter chooses, in their order.
func found(t interface{ Fatal(...any) }, r *Requests, ctx context.Context, f provision.StoreFilter, limit int) (ids []string) {
	for cursor, pages := "", 0; ; pages++ {
		page, err := r.Find(ctx, f, cursor, limit)
		if err != nil || pages > 100 {
			t.Fatal(f, pages, err)
		}
		for _, s := range page.Stores {
			ids = append(ids, s.StoreID)
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
	}
}

// checkFind compares what each filter finds with the whole list.
func (m *machine) checkFind(t *rapid.T) {
	all, err := m.r.Requests.Find(m.ctx, provision.StoreFilter{}, "", 100)
	ok(t, err)
	filters := []provision.StoreFilter{{Engine: "medusa"}, {Engine: "woocommerce", Status: provision.StatusReady}, {Creator: "x"}, {Cluster: provision.DefaultCluster}, {Code: provision.CodeTimeout}}
	for _, status := range provision.Statuses {
		filters = append(filters, provision.StoreFilter{Status: status})
	}
	for _, f := range filters {
		var want []string
		for _, s := range all.Stores {
			if f.Matches(s) {
				want = append(want, s.StoreID)
			}
		}
		if got := found(t, m.r.Requests, m.ctx, f, 1); !slices.Equal(got, want) {
			t.Fatalf("%+v finds %v, want %v", f, got, want)
		}
	}
}

// shopsOfAllKinds makes stores of all kinds; their order is that of the list, the newest first.
func (b *bench) shopsOfAllKinds() {
	for i, status := range []provision.Status{provision.StatusReady, provision.StatusFailed, provision.StatusReady, provision.StatusSuspended} {
		req := onHost(request(fmt.Sprintf("Shop-%d", i)), fmt.Sprintf("host-%d.example.com", i))
		req.CreatorID, req.Name = fmt.Sprintf("c%d", i%2), fmt.Sprintf("name-%d", i)
		if i == 2 {
			req.Engine = "medusa"
		}
		if status == provision.StatusSuspended {
			b.madeReady(req)
			a, _, err := b.records.Repeats.Suspend(b.ctx, req.StoreID, 0, "", generationTimeout)
			if err != nil {
				b.Fatal(err)
			}
			b.end(queue.Task{Op: provision.OpProvision, StoreID: req.StoreID, Generation: a.Generation, Cluster: "default"}, status)
			continue
		}
		b.end(b.accept(req), status)
	}
	b.accept(onHost(request("under-way"), "under-way.example.com"))
	b.madeReady(onHost(request("gone"), "gone.example.com"))
	b.end(b.accept(deletion("gone")), provision.StatusDeleted)
}

func TestFindByEveryField(t *testing.T) {
	each(t, func(b *bench) {
		b.shopsOfAllKinds()
		for _, c := range []struct {
			filter provision.StoreFilter
			want   []string
		}{
			{provision.StoreFilter{}, []string{"gone", "under-way", "Shop-3", "Shop-2", "Shop-1", "Shop-0"}},
			{provision.StoreFilter{Status: provision.StatusReady}, []string{"Shop-2", "Shop-0"}},
			{provision.StoreFilter{Status: provision.StatusProvisioning}, []string{"under-way"}},
			{provision.StoreFilter{Status: provision.StatusDeleted}, []string{"gone"}},
			{provision.StoreFilter{Status: provision.StatusDeleteFailed}, nil},
			{provision.StoreFilter{Engine: "medusa"}, []string{"Shop-2"}},
			{provision.StoreFilter{Creator: "c1"}, []string{"Shop-3", "Shop-1"}},
			{provision.StoreFilter{Creator: "c1", Status: provision.StatusSuspended}, []string{"Shop-3"}},
			{provision.StoreFilter{Creator: "c1", Engine: "medusa"}, nil},
			{provision.StoreFilter{Code: provision.CodeTimeout}, []string{"Shop-1"}},
			{provision.StoreFilter{Cluster: "default", Status: provision.StatusReady}, []string{"Shop-2", "Shop-0"}},
			{provision.StoreFilter{Cluster: "eu"}, nil},
			{provision.StoreFilter{Query: "shop-"}, []string{"Shop-0", "Shop-1", "Shop-2", "Shop-3", "under-way"}},
			{provision.StoreFilter{Query: "HOST-2"}, []string{"Shop-2"}},
			{provision.StoreFilter{Query: "name-", Creator: "c0"}, []string{"Shop-0", "Shop-2"}},
			{provision.StoreFilter{Query: "under"}, []string{"under-way"}},
			{provision.StoreFilter{Query: "gone"}, nil},
		} {
			for _, limit := range []int{1, 2, 100} {
				if got := found(b, b.records.Requests, b.ctx, c.filter, limit); !slices.Equal(got, c.want) {
					b.Errorf("%+v, %d at a time: %q, want %q", c.filter, limit, got, c.want)
				}
			}
		}
		for _, f := range []provision.StoreFilter{{Status: provision.StatusReady}, {Query: "shop"}} {
			if _, err := b.records.Requests.Find(b.ctx, f, "%", 1); provision.CodeOf(err) != provision.CodeInvalid {
				b.Errorf("%+v with a cursor of no page: %v", f, err)
			}
		}
	})
}

// TestFindIndexesWhatIsOlder: records of a version that had no index are found too.
func TestFindIndexesWhatIsOlder(t *testing.T) {
	each(t, func(b *bench) {
		b.shopsOfAllKinds()
		for _, id := range []string{"Shop-0", "Shop-1", "Shop-2", "Shop-3"} {
			b.redis.HDel(b.ctx, keyStore(id), "indexed")
		}
		b.redis.Del(b.ctx, keyFleetIndexed, keyFleetNames, keyFleet("status", "READY"), keyFleet("engine", "medusa"))
		if got := found(b, b.records.Requests, b.ctx, provision.StoreFilter{Status: provision.StatusReady}, 10); !slices.Equal(got, []string{"Shop-2", "Shop-0"}) {
			b.Errorf("found %q", got)
		}
		if got := found(b, b.records.Requests, b.ctx, provision.StoreFilter{Query: "name-2"}, 10); !slices.Equal(got, []string{"Shop-2"}) {
			b.Errorf("found %q", got)
		}
	})
}

func TestSummaryCountsWhatLives(t *testing.T) {
	each(t, func(b *bench) {
		b.shopsOfAllKinds()
		b.accept(deletion("Shop-0"))
		got, err := b.records.Fleet.Summary(b.ctx, []string{"woocommerce", "medusa", "static"})
		if err != nil {
			b.Fatal(err)
		}
		var oldest []string
		for _, s := range got.Oldest {
			oldest = append(oldest, s.StoreID)
		}
		got.Oldest = nil
		want := provision.Summary{Stores: 5,
			Status:  map[provision.Status]int64{provision.StatusReady: 1, provision.StatusFailed: 1, provision.StatusSuspended: 1, provision.StatusProvisioning: 1, provision.StatusDeleting: 1},
			Code:    map[provision.Code]int64{provision.CodeTimeout: 1},
			Engine:  map[string]int64{"woocommerce": 4, "medusa": 1},
			Cluster: map[string]int64{"default": 5}}
		if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(oldest, []string{"under-way", "Shop-0"}) {
			b.Errorf("oldest %q; (-want +got):\n%s", oldest, diff)
		}
	})
}
