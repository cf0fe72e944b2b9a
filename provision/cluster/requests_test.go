package cluster

import (
	"context"
	"strings"
	"sync"
	"testing"
)

func TestClusterReadsDiscoveryOnce(t *testing.T) {
	api, c := newFakeAPI(t)
	if err := provisionSteps(t.Context(), c, testStore(1)); err != nil {
		t.Fatal(err)
	}
	s := testStore(1)
	s.Namespace, s.StoreID = "store-2", "two"
	before := api.reads + len(api.writes)
	if err := provisionSteps(t.Context(), c, s); err != nil {
		t.Fatal(err)
	}
	// Two for the namespace, four for the credentials; of the release the namespace and its records, the four objects of the chart, the record before and
	// after them, and the time in the namespace.
	if made := api.reads + len(api.writes) - before; made != 15 {
		t.Errorf("a provision makes %d requests, want 15", made)
	}
}

func TestClusterServesManyStoresAtOnce(t *testing.T) {
	_, c := newFakeAPI(t)
	var done sync.WaitGroup
	for i := range 16 {
		done.Go(func() {
			s := testStore(1)
			s.StoreID = strings.Repeat("s", i+1)
			s.Namespace = "store-" + s.StoreID
			if err := provisionSteps(context.Background(), c, s); err != nil {
				t.Error(err)
			}
			if err := c.Releases.Remove(context.Background(), s); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}
