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
	"orchestrator/provision/cluster/kube"
)

// waitDeleted returns when lw lists no objects any more but those that may stay, or when ctx ends. It watches, and resumes a broken watch.
func waitDeleted(ctx context.Context, lw cache.ListerWatcher, kind runtime.Object, mayStay func(object any) bool) error {
	var store cache.Store
	gone := func() bool {
		return !slices.ContainsFunc(store.List(), func(object any) bool { return !mayStay(object) })
	}
	_, err := watchtools.UntilWithSync(ctx, lw, kind,
		func(s cache.Store) (bool, error) { store = s; return gone(), nil },
		func(watch.Event) (bool, error) { return gone(), nil })
	return err
}

func none(any) bool { return false }

// ended says whether the object is a pod that has ended and that only its owner deletes, such as that of `helm test`: it writes nothing any more.
func ended(object any) bool {
	pod, ok := object.(*corev1.Pod)
	return ok && pod.DeletionTimestamp == nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed)
}

// maxBlockers is the number of objects that an error names.
const maxBlockers = 5

// explainTimeout bounds the requests that find out what blocks a delete, which are made after its own time is over.
const explainTimeout = 5 * time.Second

// timeoutError is the error of a wait that ended with err. If a time limit passed, it names what blocks the deletion of the
// object; if the run was superseded or stopped, it is that cause.
func timeoutError(ctx context.Context, err error, object string, blockers func(context.Context) []string) error {
	if ctx.Err() == nil {
		return kube.WrapError(err, "wait for the deletion of %s", object)
	}
	cause := context.Cause(ctx)
	if provision.CodeOf(cause) != provision.CodeTimeout && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTimeout)
	defer cancel()
	reasons := blockers(ctx)
	if len(reasons) == 0 {
		reasons = []string{"the cluster does not say why"}
	}
	return provision.Wrap(provision.CodeTimeout, cause, "%s was not deleted in time: %s", object, strings.Join(reasons, "; "))
}

// namespaceBlockers says why a namespace is not deleted: its own finalizers, and what the namespace controller reports ("Some
// content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"; with an aggregated API
// that does not answer, "Discovery failed for some groups").
func namespaceBlockers(ctx context.Context, api *kube.Client, name string) []string {
	ns, err := api.Clientset.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	var held []string
	finalizers := slices.Clone(ns.Finalizers)
	for _, f := range ns.Spec.Finalizers {
		if f != corev1.FinalizerKubernetes { // the namespace controller's own, which follows from the rest
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
	return append(held, objectBlockers(ctx, api, name)...)
}

// claimBlockers says why volume claims are not deleted.
func claimBlockers(ctx context.Context, api *kube.Client, namespace string) []string {
	list, err := api.Clientset.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	pods, err := api.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		pods = &corev1.PodList{}
	}
	var held []string
	for _, claim := range list.Items {
		text := blocker("persistentvolumeclaim", claim.ObjectMeta)
		if users := usersOf(pods.Items, claim.Name); len(users) > 0 {
			text += " and is used by " + strings.Join(users, ", ")
		}
		held = append(held, text)
	}
	return held
}

// usersOf are the pods that mount a volume claim, with their nodes: a pod on a node that is gone stays, and the claim with it.
func usersOf(pods []corev1.Pod, claim string) []string {
	var users []string
	for _, pod := range pods {
		for _, volume := range pod.Spec.Volumes {
			if volume.PersistentVolumeClaim != nil && volume.PersistentVolumeClaim.ClaimName == claim {
				users = append(users, onNode(pod))
			}
		}
	}
	return users
}

func onNode(pod corev1.Pod) string {
	text := "pod " + pod.Name
	if pod.Spec.NodeName != "" {
		text += " on node " + pod.Spec.NodeName
	}
	if pod.DeletionTimestamp != nil {
		text += fmt.Sprintf(", which should have ended at %s", pod.DeletionTimestamp.UTC().Format(time.RFC3339))
	}
	return text
}

// podBlockers says why pods are not deleted.
func podBlockers(ctx context.Context, api *kube.Client, namespace string) []string {
	list, err := api.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: maxBlockers})
	if err != nil {
		return nil
	}
	var held []string
	for _, pod := range list.Items {
		if ended(&pod) {
			continue
		}
		text := blocker("pod", pod.ObjectMeta)
		if pod.Spec.NodeName != "" {
			text += ", on node " + pod.Spec.NodeName
		}
		held = append(held, text)
	}
	return held
}

// objectBlockers names the objects of a namespace, of any kind, that wait for a finalizer. It skips kinds that the
// orchestrator is not allowed to list.
func objectBlockers(ctx context.Context, api *kube.Client, namespace string) []string {
	client, err := metadata.NewForConfig(api.RESTConfig(nil))
	if err != nil {
		return nil
	}
	kinds, _ := discovery.ServerPreferredNamespacedResources(api.Discovery) // the kinds that could be read are enough
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
			if len(object.Finalizers) > 0 && len(held) < maxBlockers {
				held = append(held, blocker(strings.TrimSuffix(resource.Resource, "s"), object.ObjectMeta))
			}
		}
	}
	return held
}

// blocker names an object and the finalizers that it waits for.
func blocker(kind string, object metav1.ObjectMeta) string {
	if len(object.Finalizers) == 0 {
		return fmt.Sprintf("%s %s still exists", kind, object.Name)
	}
	return fmt.Sprintf("%s %s has the finalizers %s", kind, object.Name, strings.Join(object.Finalizers, ", "))
}
