//go:build realcluster

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// removal is what must be reported once policies are gone: a test that never fails shows nothing.
type removal struct {
	name     string
	policies map[string][]string // by store, or "service": the ends of their names; none is all of them
	reports  []string
}

// removals are tried one after the other. A store's pod that loses its own policy alone is shut off by the policy for all, and the other way round.
func (d *doors) removals() []removal {
	return []removal{
		{"the shop's own policy of A", map[string][]string{"A": {"-shop"}}, []string{"A-shop to A's database is closed", "A-shop to DNS is closed"}},
		{"the policy for all pods of A", map[string][]string{"A": {"-deny"}}, opened("A-other", append(slices.Clone(nodes), "the backend"))},
		{"what keeps A's shop in, and calls off", map[string][]string{"A": {"-deny", "-shop"}}, slices.Concat(
			opened("A-shop", apiServer), opened("A-shop", []string{"kubelet", "metadata address", public[1], "the backend"}), opened("stranger", shops[:1]))},
		{"what keeps calls off B's database", map[string][]string{"B": {"-deny", "-mariadb"}}, slices.Concat(
			opened("stranger", []string{"B's database"}), opened("gateway", []string{"B's database"}))},
		{"what is between A's shop and B's database", map[string][]string{"A": {"-deny", "-shop"}, "B": {"-deny", "-mariadb"}}, opened("A-shop", []string{"B's database"})},
		{"all policies of the service", map[string][]string{"service": nil}, slices.Concat(
			opened("stranger", service), opened("ingest", apiServer), opened("worker", []string{"kubelet", "metadata address"}), opened("monitor", apiServer), opened("redis", public))},
	}
}

// opened are the reports of doors that should be closed from a place.
func opened(place string, doors []string) (all []string) {
	for _, o := range doors {
		all = append(all, fmt.Sprintf("%s to %s is open", place, o))
	}
	return all
}

// notice removes policies, waits until the matrix reports what that opens or shuts, and puts them back.
func (d *doors) notice(t *testing.T, r removal) {
	t.Helper()
	removed := d.remove(t, r)
	defer d.restore(t, removed)
	reports := slices.DeleteFunc(r.reports, func(report string) bool {
		return !slices.ContainsFunc(d.doors, func(o door) bool { return strings.Contains(report, " to "+o.name+" is ") })
	})
	var missing []string
	var seen walk
	for deadline := time.Now().Add(settle); ; {
		seen = d.look(t)
		all := d.wrong(seen)
		missing = slices.DeleteFunc(slices.Clone(reports), func(report string) bool {
			return slices.ContainsFunc(all, func(w string) bool { return strings.HasPrefix(w, report) })
		})
		if len(missing) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(missing) > 0 {
		d.print(t.Output(), seen)
		t.Errorf("without %s the matrix does not report: %s", r.name, strings.Join(missing, "; "))
		return
	}
	t.Logf("without %s the matrix reports %d differences, these among them: %s", r.name, len(d.wrong(seen)), strings.Join(reports, "; "))
}

// remove deletes the policies and returns them.
func (d *doors) remove(t *testing.T, r removal) (removed []networkingv1.NetworkPolicy) {
	t.Helper()
	for of, ends := range r.policies {
		policies := d.k.NetworkingV1().NetworkPolicies(d.namespaceOf(of))
		list, err := policies.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Items {
			if len(ends) > 0 && !slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(p.Name, end) }) {
				continue
			}
			if err := policies.Delete(t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			removed = append(removed, p)
		}
	}
	if len(removed) == 0 {
		t.Fatalf("there are no policies %v", r.policies)
	}
	return removed
}

func (d *doors) restore(t *testing.T, removed []networkingv1.NetworkPolicy) {
	t.Helper()
	for _, p := range removed {
		p.ResourceVersion, p.UID = "", ""
		if _, err := d.k.NetworkingV1().NetworkPolicies(p.Namespace).Create(t.Context(), &p, metav1.CreateOptions{}); err != nil {
			t.Errorf("policy %s/%s is not put back: %v", p.Namespace, p.Name, err)
		}
	}
}

func (d *doors) namespaceOf(of string) string {
	if s, ok := d.stores[of]; ok {
		return s.Namespace
	}
	return d.ns[of]
}
