//go:build devcluster

package cluster

import (
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// besideStore is a store that is there, and the restore test beside it.
func besideStore(t *testing.T, c *Cluster) (s, test provision.Store) {
	t.Helper()
	s = prepared(t, c)
	test = s
	test.Namespace, test.RestoreTest = "restore-"+provision.StoreLabel(s.StoreID), true
	t.Cleanup(func() { dropNamespace(t, c, test.Namespace) })
	if unfinished, err := c.Namespaces.Ensure(t.Context(), test); err != nil || unfinished {
		t.Fatalf("unfinished %t, error %v", unfinished, err)
	}
	return s, test
}

func listStores(t *testing.T, c *Cluster) provision.SavedStores {
	t.Helper()
	saved, err := c.State.ListStores(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// TestARestoreTestIsNoStore: after a loss of Redis the store comes back and the test does not, which is found to be removed; and that removes nothing of the store.
func TestARestoreTestIsNoStore(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s, test := besideStore(t, c)
	saved := listStores(t, c)
	for _, store := range saved.Stores {
		if store.Store.Namespace == test.Namespace {
			t.Errorf("it is taken for a store: %+v", store)
		}
	}
	if !slices.ContainsFunc(saved.Stores, func(found provision.SavedState) bool { return found.Store.Namespace == s.Namespace }) {
		t.Error("the store is not found")
	}
	i := slices.IndexFunc(saved.RestoreTests, func(found provision.SavedRestoreTest) bool { return found.Store.StoreID == s.StoreID })
	if i < 0 || saved.RestoreTests[i].Store.Generation != s.Generation || time.Since(saved.RestoreTests[i].Began) > time.Minute {
		t.Fatalf("found are %+v", saved.RestoreTests)
	}
	runner := &provision.Runner{}
	c.Fill(runner)
	if err := runner.EndRestoreTest(t.Context(), saved.RestoreTests[i].Store); err != nil {
		t.Fatal(err)
	}
	if _, err := c.api.Clientset.CoreV1().Namespaces().Get(t.Context(), test.Namespace, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("it is there: %v", err)
	}
	if ns := getNamespace(t, c, s); ns.DeletionTimestamp != nil {
		t.Error("the store is being deleted")
	}
}

// TestADeleteTakesTheRestoreTestToo, also one that retains the store's data: none of it is the test's.
func TestADeleteTakesTheRestoreTestToo(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s, test := besideStore(t, c)
	s.Generation, s.RetainData = s.Generation+1, true
	marked, err := c.Namespaces.MarkDeleting(t.Context(), provision.OpDelete, s)
	if err != nil || len(marked) != 2 {
		t.Fatalf("%+v, %v", marked, err)
	}
	for _, found := range marked {
		if isTest := found.Namespace == test.Namespace; found.RestoreTest != isTest || found.RetainData == isTest {
			t.Errorf("in namespace %s: a test %t, retained %t", found.Namespace, found.RestoreTest, found.RetainData)
		}
		if !found.RestoreTest {
			continue
		}
		if err := c.Namespaces.Remove(t.Context(), found); err != nil {
			t.Error(err)
		}
	}
}

// TestARestoreTestTakesNoNamespaceOfAStore, though that has its name, and a store none of a test.
func TestARestoreTestTakesNoNamespaceOfAStore(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	test := s
	test.RestoreTest = true
	_, err := c.Namespaces.Ensure(t.Context(), test)
	wantCode(t, err, provision.CodeConflict)
	wantCode(t, c.Namespaces.Remove(t.Context(), test), provision.CodeConflict)
	_, other := besideStore(t, c)
	other.RestoreTest = false
	_, err = c.Namespaces.Ensure(t.Context(), other)
	wantCode(t, err, provision.CodeConflict)
	wantCode(t, c.Namespaces.Remove(t.Context(), other), provision.CodeConflict)
}

// TestARestoreTestIsKeptInTheNamespace of its store, for a loss of Redis.
func TestARestoreTestIsKeptInTheNamespace(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	backsUp(t, c)
	want := provision.RestoreTest{Run: "r", BackupAt: time.Unix(1700000000, 0).UTC(), At: time.Unix(1700003600, 0).UTC(), Seconds: 70}
	c.restorer().Passed(t.Context(), s, want)
	if saved, ok := savedState(getNamespace(t, c, s)); !ok || saved.RestoreTest == nil || *saved.RestoreTest != want {
		t.Errorf("saved %+v", saved.RestoreTest)
	}
}
