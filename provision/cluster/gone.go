package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"orchestrator/provision"
)

// waitGone returns when lw lists nothing any more, or when ctx ends. It watches, and survives a watch that breaks.
func waitGone(ctx context.Context, lw cache.ListerWatcher, kind runtime.Object) error {
	var store cache.Store
	_, err := watchtools.UntilWithSync(ctx, lw, kind,
		func(s cache.Store) (bool, error) { store = s; return len(s.List()) == 0, nil },
		func(watch.Event) (bool, error) { return len(store.List()) == 0, nil })
	return err
}

// maxHolders is how many objects an error names.
const maxHolders = 5

// explainTimeout bounds the questions about what held a delete up, which are asked when its own time is over.
const explainTimeout = 5 * time.Second

// overdue is the error of a wait that ended with err. Where a budget ran out, it is told what holds the object; where the
// run was superseded or stopped, that is the cause.
func overdue(ctx context.Context, err error, object string, holders func(context.Context) []string) error {
	if ctx.Err() == nil {
		return failure(err, "wait until %s is gone", object)
	}
	cause := context.Cause(ctx)
	if provision.CodeOf(cause) != provision.CodeTimeout && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTimeout)
	defer cancel()
	held := holders(ctx)
	if len(held) == 0 {
		held = []string{"the cluster does not say why"}
	}
	return provision.Wrap(provision.CodeTimeout, cause, "%s was not gone in time: %s", object, strings.Join(held, "; "))
}

// namespaceHolders says why a namespace does not go away: its own finalizers, and what the namespace controller says ("Some
// content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"; with an aggregated API
// that does not answer, "Discovery failed for some groups").
func (c *Cluster) namespaceHolders(ctx context.Context, name string) []string {
	ns, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	var held []string
	finalizers := slices.Clone(ns.Finalizers)
	for _, f := range ns.Spec.Finalizers {
		if f != corev1.FinalizerKubernetes { // the namespace controller's own: it follows from the rest
			finalizers = append(finalizers, string(f))
		}
	}
	if len(finalizers) > 0 {
		held = append(held, fmt.Sprintf("it has the finalizers %s", strings.Join(finalizers, ", ")))
	}
	for _, condition := range ns.Status.Conditions {
		if condition.Status == corev1.ConditionTrue {
			held = append(held, condition.Message)
		}
	}
	return append(held, c.objectHolders(ctx, name)...)
}

// claimHolders says why volume claims do not go away.
func (c *Cluster) claimHolders(ctx context.Context, namespace string) []string {
	list, err := c.client.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var held []string
	for _, claim := range list.Items {
		held = append(held, holder("persistentvolumeclaim", claim.ObjectMeta))
	}
	return held
}

// podHolders says why pods do not go away.
func (c *Cluster) podHolders(ctx context.Context, namespace string) []string {
	list, err := c.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: maxHolders})
	if err != nil {
		return nil
	}
	var held []string
	for _, pod := range list.Items {
		held = append(held, holder("pod", pod.ObjectMeta))
	}
	return held
}

// objectHolders names the objects of a namespace, of whatever kind, that wait for a finalizer. A kind that the
// orchestrator may not list is passed over.
func (c *Cluster) objectHolders(ctx context.Context, namespace string) []string {
	client, err := metadata.NewForConfig(c.conn.config(nil))
	if err != nil {
		return nil
	}
	kinds, _ := discovery.ServerPreferredNamespacedResources(c.disco.client) // what could be read is enough
	listable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, kinds)
	resources, err := discovery.GroupVersionResources(listable)
	if err != nil {
		return nil
	}
	var held []string
	for resource := range resources {
		list, err := client.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		for _, object := range list.Items {
			if len(object.Finalizers) > 0 && len(held) < maxHolders {
				held = append(held, holder(strings.TrimSuffix(resource.Resource, "s"), object.ObjectMeta))
			}
		}
	}
	return held
}

// holder names an object and the finalizers that somebody has to do the work of.
func holder(kind string, object metav1.ObjectMeta) string {
	if len(object.Finalizers) == 0 {
		return fmt.Sprintf("%s %s is still there", kind, object.Name)
	}
	return fmt.Sprintf("%s %s has the finalizers %s", kind, object.Name, strings.Join(object.Finalizers, ", "))
}
