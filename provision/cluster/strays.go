package cluster

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// removeStrays deletes what runs, and what leads to it, where no release record says what there is: somebody has deleted
// the record. Otherwise its pods would hold the volumes for ever, and its ingress the host. What is left goes with the
// namespace, or is taken over by the next release of the same name. It asks for no right that a release does not need.
func (c *Cluster) removeStrays(ctx context.Context, s provision.Store) error {
	apps := c.client.AppsV1()
	options := metav1.ListOptions{LabelSelector: provision.LabelStore + "=" + provision.StoreLabel(s.StoreID)}
	deployments, err := apps.Deployments(s.Namespace).List(ctx, options)
	if err != nil {
		return failure(err, "list the deployments in namespace %s", s.Namespace)
	}
	statefulSets, err := apps.StatefulSets(s.Namespace).List(ctx, options)
	if err != nil {
		return failure(err, "list the stateful sets in namespace %s", s.Namespace)
	}
	background := metav1.DeletePropagationBackground
	var errs []error
	remove := func(name string, do func(context.Context, string, metav1.DeleteOptions) error) {
		err := do(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
		errs = append(errs, failure(unlessGone(err), "delete %s in namespace %s", name, s.Namespace))
	}
	remove(s.Name, c.client.NetworkingV1().Ingresses(s.Namespace).Delete)
	for _, d := range deployments.Items {
		remove(d.Name, apps.Deployments(s.Namespace).Delete)
	}
	for _, d := range statefulSets.Items {
		remove(d.Name, apps.StatefulSets(s.Namespace).Delete)
	}
	return errors.Join(errs...)
}
