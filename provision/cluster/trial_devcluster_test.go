//go:build devcluster

package cluster

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// TestATrialLeavesNothing: the API server says what it would refuse of a store, and neither a store nor a record is made of it.
func TestATrialLeavesNothing(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := testStore(1)
	good, bad := tinyRelease(s, nil), tinyRelease(s, map[string]any{"extraName": "Not_A_Name"})
	var found []string
	for _, one := range c.Try(t.Context(), "eu", s, map[string]provision.Release{"good": good, "bad": bad}) {
		found = append(found, string(one.Result)+" "+one.Detail)
		if (one.Result == provision.CheckOK) == (one.Remedy != "") || one.Subject != "eu" {
			t.Errorf("%+v", one)
		}
	}
	if len(found) != 2 || !strings.HasPrefix(found[0], "failed a store of bad would be refused: ") || !strings.Contains(found[0], "Not_A_Name") ||
		!strings.HasPrefix(found[1], "ok the API server takes the ") || !strings.HasSuffix(found[1], "objects of a store of good, on trial") {
		t.Errorf("found %q", found)
	}
	list, err := c.api.Clientset.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{LabelSelector: provision.LabelStore})
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range list.Items {
		if strings.HasPrefix(ns.Name, "orchestrator-check-") && ns.DeletionTimestamp == nil {
			t.Errorf("namespace %s is left", ns.Name)
		}
		if _, known := savedState(&ns); known && strings.HasPrefix(ns.Name, "orchestrator-check-") {
			t.Errorf("a record would be made of namespace %s", ns.Name)
		}
	}
}
