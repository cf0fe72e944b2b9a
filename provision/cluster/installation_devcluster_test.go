//go:build devcluster

package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// at is the development cluster as an installation with this name sees it.
func at(t *testing.T, installation Installation) *Cluster {
	t.Helper()
	cfg := devConfig(t)
	cfg.Installation = installation
	c, err := Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func saved(t *testing.T, c *Cluster, s provision.Store) (own bool, foreign map[string]int) {
	t.Helper()
	stores, err := c.State.ListStores(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own = slices.ContainsFunc(stores.Stores, func(one provision.SavedState) bool { return one.Store.StoreID == s.StoreID })
	return own, stores.Foreign
}

// Two installations know a store of the same id in the same namespace, as staging on a copy of production's data does.
func TestInstallationsLeaveEachOthersStoresAlone(t *testing.T) {
	t.Parallel()
	id := strings.ToLower(rand.Text()[:8])
	production, staging := at(t, Named("production-"+id)), at(t, Named("staging-"+id))
	s := prepared(t, production)
	apply(t, production, s, nil)
	before := getNamespace(t, production, s)

	newer := s
	newer.Generation, newer.Host = 99, "staging.example.com"
	_, err := staging.Namespaces.Ensure(t.Context(), newer)
	wantCode(t, err, provision.CodeConflict)
	for _, name := range []string{s.Namespace, "production-" + id, "staging-" + id, "worker adopt"} {
		if !strings.Contains(provision.Public(err), name) {
			t.Errorf("%q does not name %s", provision.Public(err), name)
		}
	}
	_, err = staging.Releases.Apply(t.Context(), newer, tinyRelease(newer, nil))
	wantCode(t, err, provision.CodeConflict)
	wantCode(t, staging.Namespaces.Remove(t.Context(), newer), provision.CodeConflict)
	if marked, err := staging.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, newer); err != nil || len(marked) != 0 {
		t.Errorf("staging marks %v for its delete, %v", marked, err)
	}
	if err := staging.State.SaveOutcome(t.Context(), s, provision.Outcome{Generation: s.Generation, Status: provision.StatusFailed}); err != nil {
		t.Error(err)
	}
	if now := getNamespace(t, production, s); now.ResourceVersion != before.ResourceVersion {
		t.Errorf("staging has changed the namespace: %v", now.ObjectMeta)
	}
	if own, foreign := saved(t, staging, s); own || foreign["production-"+id] != 1 {
		t.Errorf("staging sees it as its own: %t; others' stores: %v", own, foreign)
	}
	if own, _ := saved(t, production, s); !own {
		t.Error("production does not see its store")
	}
}

func TestAdoptTakesAStoreOver(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]string{"of another installation": "gone-" + strings.ToLower(rand.Text()[:8]), "of none": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, heir := at(t, Named(from)), at(t, Named("heir-"+strings.ToLower(rand.Text()[:8])))
			s := prepared(t, old)
			foreign, err := heir.State.ListForeign(t.Context())
			i := slices.IndexFunc(foreign, func(f ForeignStore) bool { return f.Namespace == s.Namespace })
			if err != nil || i < 0 || foreign[i] != (ForeignStore{s.Namespace, s.StoreID, s.Host, from}) {
				t.Fatalf("%v in %v, %v", i, foreign, err)
			}
			if err := heir.State.Adopt(t.Context(), foreign[i]); err != nil {
				t.Fatal(err)
			}
			if own, _ := saved(t, heir, s); !own {
				t.Error("it was not taken over")
			}
			s.Generation++
			if _, err := heir.Namespaces.Ensure(t.Context(), s); err != nil {
				t.Error(err)
			}
			_, err = old.Namespaces.Ensure(t.Context(), s)
			wantCode(t, err, provision.CodeConflict)
			if from != "" { // what was seen is not there any more
				wantCode(t, at(t, Named("late")).State.Adopt(t.Context(), foreign[i]), provision.CodeConflict)
			}
		})
	}
}

func TestAnInstallationWithoutItsNameWritesNothing(t *testing.T) {
	t.Parallel()
	c := at(t, func(context.Context) (string, error) { return "", errors.New("Redis is away") })
	s := devStore(t, c)
	_, err := c.Namespaces.Ensure(t.Context(), s)
	wantCode(t, err, provision.CodeUnavailable)
	if _, err := c.api.Clientset.CoreV1().Namespaces().Get(t.Context(), s.Namespace, metav1.GetOptions{}); err == nil {
		t.Error("the namespace was made")
	}
}
