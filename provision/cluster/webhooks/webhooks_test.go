package webhooks

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func rule(group, resource string, operations ...admissionv1.OperationType) []admissionv1.RuleWithOperations {
	return []admissionv1.RuleWithOperations{{Operations: operations, Rule: admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: []string{resource}}}}
}

// TestFind looks at one webhook at a time: it is dead where the API server asks it about a store and nothing is there to answer.
func TestFind(t *testing.T) {
	fail, ignore, ready, notReady := admissionv1.Fail, admissionv1.Ignore, true, false
	inside := admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "guards", Name: "guard"}}
	outside := "https://guard.example.com"
	pods := rule("", "pods", admissionv1.Create)
	for name, c := range map[string]struct {
		client   admissionv1.WebhookClientConfig
		policy   *admissionv1.FailurePolicyType
		selector *metav1.LabelSelector
		rules    []admissionv1.RuleWithOperations
		ready    *bool // of the endpoint; nil: there is none
		dead     bool
	}{
		"no endpoint":                   {inside, &fail, nil, pods, nil, true},
		"its failure policy is omitted": {inside, nil, nil, pods, nil, true},
		"an endpoint that is not ready": {inside, &fail, nil, pods, &notReady, true},
		"a ready endpoint":              {inside, &fail, nil, pods, &ready, false},
		"no answer is a yes":            {inside, &ignore, nil, pods, nil, false},
		"outside of the cluster":        {admissionv1.WebhookClientConfig{URL: &outside}, &fail, nil, pods, nil, false},
		"everything":                    {inside, &fail, nil, rule("*", "*/*", admissionv1.OperationAll), nil, true},
		"workloads":                     {inside, &fail, nil, rule("apps", "deployments", admissionv1.Update), nil, true},
		"another group":                 {inside, &fail, nil, rule("cert-manager.io", "*", admissionv1.OperationAll), nil, false},
		"another kind":                  {inside, &fail, nil, rule("", "nodes", admissionv1.OperationAll), nil, false},
		"connections only":              {inside, &fail, nil, rule("", "*", admissionv1.Connect), nil, false},
		"namespaces of stores":          {inside, &fail, &metav1.LabelSelector{MatchLabels: map[string]string{"orchestrator/store": "x"}}, pods, nil, true},
		"other namespaces": {inside, &fail, &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "orchestrator/store", Operator: metav1.LabelSelectorOpDoesNotExist}}}, pods, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mutates := range []bool{false, true} {
				client := fake.NewClientset()
				if c.ready != nil {
					slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "guards", Name: "guard-1", Labels: map[string]string{discoveryv1.LabelServiceName: "guard"}},
						Endpoints: []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: c.ready}}}}
					if err := client.Tracker().Add(slice); err != nil {
						t.Fatal(err)
					}
				}
				meta := metav1.ObjectMeta{Name: "guard"}
				var err error
				if mutates {
					err = client.Tracker().Add(&admissionv1.MutatingWebhookConfiguration{ObjectMeta: meta, Webhooks: []admissionv1.MutatingWebhook{
						{Name: "guard.example.com", ClientConfig: c.client, FailurePolicy: c.policy, NamespaceSelector: c.selector, Rules: c.rules}}})
				} else {
					err = client.Tracker().Add(&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: meta, Webhooks: []admissionv1.ValidatingWebhook{
						{Name: "guard.example.com", ClientConfig: c.client, FailurePolicy: c.policy, NamespaceSelector: c.selector, Rules: c.rules}}})
				}
				if err != nil {
					t.Fatal(err)
				}
				dead, err := Find(t.Context(), client, map[string]string{"orchestrator/store": "x"})
				if err != nil || (len(dead) == 1) != c.dead {
					t.Errorf("mutates %t: found %v, %v", mutates, dead, err)
				}
				if len(dead) == 1 && dead[0].Service != "guards/guard" {
					t.Errorf("found %v", dead)
				}
			}
		})
	}
}
