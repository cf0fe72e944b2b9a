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
	// Namespace and credentials make 5 requests, the rest is the release's; the chart has 4 objects.
	if made := api.reads + len(api.writes) - before; made > 27 {
		t.Errorf("a provision makes %d requests", made)
	} else {
		t.Logf("a provision makes %d requests", made)
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
