package helm

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// removeOrphans deletes the workloads, the ingress and the route of a release whose record was deleted by hand. Otherwise the pods would
// keep the volumes in use for ever, and ingress and route the host. The remaining objects are deleted with the namespace or
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
	remove(s.ReleaseName(), c.api.Clientset.NetworkingV1().Ingresses(s.Namespace).Delete)
	errs = append(errs, c.removeRoute(ctx, s))
	for _, d := range deployments.Items {
		remove(d.Name, apps.Deployments(s.Namespace).Delete)
	}
	for _, d := range statefulSets.Items {
		remove(d.Name, apps.StatefulSets(s.Namespace).Delete)
	}
	return errors.Join(errs...)
}

// removeRoute deletes the release's HTTPRoute, in a cluster that knows the kind.
func (c *Client) removeRoute(ctx context.Context, s provision.Store) error {
	mapping, err := c.api.Mapper.RESTMapping(schema.GroupKind{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute"})
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return kube.WrapError(err, "find out whether the cluster knows HTTPRoutes")
	}
	client, err := dynamic.NewForConfig(c.api.RESTConfig(nil))
	if err != nil {
		return err
	}
	err = client.Resource(mapping.Resource).Namespace(s.Namespace).Delete(ctx, s.ReleaseName(), metav1.DeleteOptions{})
	return kube.WrapError(kube.IgnoreNotFound(err), "delete the route %s in namespace %s", s.ReleaseName(), s.Namespace)
}
