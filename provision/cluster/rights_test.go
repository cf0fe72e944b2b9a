package cluster

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// charted rules of the service's chart, as "verb group/resource name".
func rulesOf(t *testing.T, document string) (all []string) {
	t.Helper()
	var lines []string
	for line := range strings.SplitSeq(document, "\n") {
		line = strings.ReplaceAll(line, `{{ include "orchestrator.storeRole" . }}`, "STORE ROLE")
		if !strings.Contains(line, "{{") {
			lines = append(lines, line)
		}
	}
	var role rbacv1.ClusterRole
	if err := yaml.Unmarshal([]byte(strings.Join(lines, "\n")), &role); err != nil {
		t.Fatal(err)
	}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, verb+" "+group+"/"+resource+" "+strings.Join(rule.ResourceNames, ","))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func textOf(rights ...right) (all []string) {
	for _, r := range rights {
		for _, verb := range r.verbs {
			all = append(all, verb+" "+r.group+"/"+r.resource+" "+r.name)
		}
	}
	slices.Sort(all)
	return all
}

func TestRightsAreThoseOfTheServicesChart(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes/orchestrator/templates/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(string(text), "\n---\n")
	if diff := cmp.Diff(rulesOf(t, documents[0]), textOf(slices.Concat(rightsEverywhere, rightsToBind)...)); diff != "" {
		t.Errorf("in the whole cluster (-chart +code):\n%s", diff)
	}
	if diff := cmp.Diff(rulesOf(t, documents[2]), textOf(rightsInStores...)); diff != "" {
		t.Errorf("in a store's namespace (-chart +code):\n%s", diff)
	}
}
