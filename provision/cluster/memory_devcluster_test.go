//go:build devcluster

package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestTheClusterRemembersAStore(t *testing.T) {
	c := devCluster(t)
	s := prepared(t, c)
	if got, want := remembered(t, c, s), (provision.Memory{Store: s, Op: provision.OpProvision}); !cmp.Equal(got, want) {
		t.Errorf("%s", cmp.Diff(want, got))
	}
	verdict := provision.Verdict{Generation: s.Generation, Status: provision.StatusFailed, Code: provision.CodeImage, Error: "no image"}
	for range 2 { // told at least once means written at least once
		if err := c.Remember(t.Context(), s, verdict); err != nil {
			t.Fatal(err)
		}
		if err := c.RememberTold(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := remembered(t, c, s), (provision.Memory{Store: s, Op: provision.OpProvision, Verdict: &verdict, Told: true}); !cmp.Equal(got, want) {
		t.Errorf("%s", cmp.Diff(want, got))
	}

	older := s
	s.Generation = 2
	if _, err := c.Namespaces().Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []provision.Store{older, devStore(t, c)} { // superseded, and without a namespace
		if err := c.Remember(t.Context(), gone, verdict); err != nil {
			t.Errorf("nothing to remember is an error: %v", err)
		}
	}
	if got, want := remembered(t, c, s), (provision.Memory{Store: s, Op: provision.OpProvision}); !cmp.Equal(got, want) {
		t.Errorf("the verdict of generation 1 is taken for generation 2's: %s", cmp.Diff(want, got))
	}
}

func remembered(t *testing.T, c *Cluster, s provision.Store) provision.Memory {
	t.Helper()
	all, err := c.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Store.StoreID == s.StoreID {
			return m
		}
	}
	t.Fatal("the store is not in the survey")
	return provision.Memory{}
}
