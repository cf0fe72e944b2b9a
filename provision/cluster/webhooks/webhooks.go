// Package webhooks finds admission webhooks that refuse the objects of stores because nothing answers for them.
package webhooks

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// Dead is a webhook that no endpoint answers, and without whose answer nothing is created or changed.
type Dead struct {
	Name          string // of the webhook
	Configuration string // the object that it is in
	Service       string // namespace/name of what should answer
}

func (d Dead) String() string {
	return fmt.Sprintf("%s (%s, service %s)", d.Name, d.Configuration, d.Service)
}

// webhook is what validating and mutating webhooks have in common.
type webhook struct {
	name, configuration string
	client              admissionv1.WebhookClientConfig
	policy              *admissionv1.FailurePolicyType
	namespaces          *metav1.LabelSelector
	rules               []admissionv1.RuleWithOperations
}

// Find returns the dead webhooks that are asked about objects of stores, whose namespaces have these labels. Webhooks outside of the cluster are not looked at.
func Find(ctx context.Context, client kubernetes.Interface, namespace map[string]string) ([]Dead, error) {
	all, err := list(ctx, client)
	if err != nil {
		return nil, err
	}
	var dead []Dead
	for _, w := range all {
		if !w.asked(namespace) {
			continue
		}
		answers, err := answered(ctx, client, w.client.Service)
		if err != nil {
			return nil, err
		}
		if !answers {
			dead = append(dead, Dead{w.name, w.configuration, w.client.Service.Namespace + "/" + w.client.Service.Name})
		}
	}
	return dead, nil
}

func list(ctx context.Context, client kubernetes.Interface) (all []webhook, err error) {
	validating, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, c := range validating.Items {
		for _, w := range c.Webhooks {
			all = append(all, webhook{w.Name, "validatingwebhookconfiguration " + c.Name, w.ClientConfig, w.FailurePolicy, w.NamespaceSelector, w.Rules})
		}
	}
	mutating, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, c := range mutating.Items {
		for _, w := range c.Webhooks {
			all = append(all, webhook{w.Name, "mutatingwebhookconfiguration " + c.Name, w.ClientConfig, w.FailurePolicy, w.NamespaceSelector, w.Rules})
		}
	}
	return all, nil
}

// asked reports whether the API server asks the webhook about an object of a store, and takes no answer for a no.
func (w webhook) asked(namespace map[string]string) bool {
	if w.client.Service == nil || w.policy != nil && *w.policy != admissionv1.Fail {
		return false
	}
	if w.namespaces != nil {
		selector, err := metav1.LabelSelectorAsSelector(w.namespaces)
		if err != nil || !selector.Matches(labels.Set(namespace)) {
			return false
		}
	}
	return slices.ContainsFunc(w.rules, aboutStores)
}

// kinds are what stores consist of, by group; charts of other engines may have more.
var kinds = map[string][]string{
	"":                  {"namespaces", "secrets", "configmaps", "services", "serviceaccounts", "persistentvolumeclaims", "pods", "limitranges", "resourcequotas"},
	"apps":              {"deployments", "statefulsets", "replicasets"},
	"networking.k8s.io": {"networkpolicies", "ingresses"},
	"policy":            {"poddisruptionbudgets"},
}

func aboutStores(r admissionv1.RuleWithOperations) bool {
	writes := func(o admissionv1.OperationType) bool {
		return o == admissionv1.OperationAll || o == admissionv1.Create || o == admissionv1.Update || o == admissionv1.Delete
	}
	if !slices.ContainsFunc(r.Operations, writes) {
		return false
	}
	for group, resources := range kinds {
		if !slices.Contains(r.APIGroups, group) && !slices.Contains(r.APIGroups, "*") {
			continue
		}
		if slices.ContainsFunc(r.Resources, func(one string) bool { return one == "*" || one == "*/*" || slices.Contains(resources, one) }) {
			return true
		}
	}
	return false
}

// answered reports whether a Service has a ready endpoint.
func answered(ctx context.Context, client kubernetes.Interface, service *admissionv1.ServiceReference) (bool, error) {
	slicesOf, err := client.DiscoveryV1().EndpointSlices(service.Namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name})
	if err != nil {
		return false, err
	}
	for _, one := range slicesOf.Items {
		for _, endpoint := range one.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				return true, nil
			}
		}
	}
	return false, nil
}
