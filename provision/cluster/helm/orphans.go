package helm

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// removeOrphans deletes the workloads and the ingress of a release whose record was deleted by hand. Otherwise the pods would
// keep the volumes in use for ever, and the ingress the host. The remaining objects are deleted with the namespace or
// adopted by the next release of the same name. It needs no permission that a release does not need.
func (c *Client) removeOrphans(ctx context.Context, s provision.Store) error {
	apps := c.api.Clientset.AppsV1()
	options := metav1.ListOptions{LabelSelector: provision.LabelStore + "=" + provision.StoreLabel(s.StoreID)}
	deployments, err := apps.Deployments(s.Namespace).List(ctx, options)
	if err != nil {
		return kube.WrapError(err, "list the deployments in namespace %s", s.Namespace)
	}
	statefulSets, err := apps.StatefulSets(s.Namespace).List(ctx, options)
	if err != nil {
		return kube.WrapError(err, "list the stateful sets in namespace %s", s.Namespace)
	}
	background := metav1.DeletePropagationBackground
	var errs []error
	remove := func(name string, do func(context.Context, string, metav1.DeleteOptions) error) {
		err := do(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
		errs = append(errs, kube.WrapError(kube.IgnoreNotFound(err), "delete %s in namespace %s", name, s.Namespace))
	}
	remove(s.Name, c.api.Clientset.NetworkingV1().Ingresses(s.Namespace).Delete)
	for _, d := range deployments.Items {
		remove(d.Name, apps.Deployments(s.Namespace).Delete)
	}
	for _, d := range statefulSets.Items {
		remove(d.Name, apps.StatefulSets(s.Namespace).Delete)
	}
	return errors.Join(errs...)
}
