package readiness

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"orchestrator/provision"
)

// workloadCache holds the workloads of all stores, kept up to date by watches that all waiting runs share.
type workloadCache struct {
	workloads informers.SharedInformerFactory // everything that carries the stores' label
	failures  informers.SharedInformerFactory // events about objects that could not be created; events carry no labels
	notifier  *notifier
	ready     atomic.Bool

	deployments  appslisters.DeploymentLister
	statefulSets appslisters.StatefulSetLister
	replicaSets  appslisters.ReplicaSetLister
	pods         corelisters.PodLister
	events       corelisters.EventLister
}

// reasonFailedCreate is the reason of events about a pod or a claim that a controller could not create.
const reasonFailedCreate = "FailedCreate"

func newWorkloadCache(client kubernetes.Interface, log *slog.Logger) *workloadCache {
	i := &workloadCache{notifier: newNotifier()}
	i.workloads = informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = provision.LabelStore }))
	i.failures = informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.SelectorFromSet(fields.Set{"reason": reasonFailedCreate}).String()
		}))
	apps, core := i.workloads.Apps().V1(), i.workloads.Core().V1()
	events := i.failures.Core().V1().Events()
	for _, informer := range []cache.SharedIndexInformer{apps.Deployments().Informer(), apps.StatefulSets().Informer(),
		apps.ReplicaSets().Informer(), core.Pods().Informer(), events.Informer()} {
		// Both fail only if the informer is already running or has stopped.
		_, _ = informer.AddEventHandler(i.notifier.handler())
		_ = informer.SetWatchErrorHandlerWithContext(logWatchErrors(log))
	}
	i.deployments, i.statefulSets, i.replicaSets = apps.Deployments().Lister(), apps.StatefulSets().Lister(), apps.ReplicaSets().Lister()
	i.pods, i.events = core.Pods().Lister(), events.Lister()
	return i
}

// logWatchErrors logs a watch that fails, because readiness sees nothing without it. A watch that ended normally, or whose
// resourceVersion expired, is not logged.
func logWatchErrors(log *slog.Logger) cache.WatchErrorHandlerWithContext {
	return func(ctx context.Context, _ *cache.Reflector, err error) {
		expected := errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
		if !expected && ctx.Err() == nil {
			log.Warn("cannot watch the stores' workloads; retrying", "error", err)
		}
	}
}

// start runs the informers until ctx ends and returns once each has listed the cluster's state.
func (i *workloadCache) start(ctx context.Context) error {
	for _, factory := range []informers.SharedInformerFactory{i.workloads, i.failures} {
		factory.StartWithContext(ctx)
	}
	for _, factory := range []informers.SharedInformerFactory{i.workloads, i.failures} {
		if err := factory.WaitForCacheSyncWithContext(ctx).AsError(); err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
	i.ready.Store(true)
	return nil
}

func (i *workloadCache) synced() bool { return i.ready.Load() }

func (i *workloadCache) stop() {
	i.workloads.Shutdown()
	i.failures.Shutdown()
}

// view is the state of one store's namespace at one moment. It must not be modified: the objects belong to the informers.
type view struct {
	deployments  []*appsv1.Deployment
	statefulSets []*appsv1.StatefulSet
	replicaSets  []*appsv1.ReplicaSet
	pods         []*corev1.Pod
	events       []*corev1.Event
}

// view reads the caches by their namespace index. Listing from a cache cannot fail.
func (i *workloadCache) view(namespace string, store labels.Selector) view {
	var v view
	v.deployments, _ = i.deployments.Deployments(namespace).List(store)
	v.statefulSets, _ = i.statefulSets.StatefulSets(namespace).List(store)
	v.replicaSets, _ = i.replicaSets.ReplicaSets(namespace).List(store)
	v.pods, _ = i.pods.Pods(namespace).List(store)
	v.events, _ = i.events.Events(namespace).List(labels.Everything())
	return v
}

// trim keeps what readiness reads, so that thousands of stores fit into a worker's memory: managed fields, specs and most
// annotations are nine tenths of an object.
func trim(object any) (any, error) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		trimMeta(&o.ObjectMeta)
		o.Spec = appsv1.DeploymentSpec{Replicas: o.Spec.Replicas}
	case *appsv1.StatefulSet:
		trimMeta(&o.ObjectMeta)
		o.Spec = appsv1.StatefulSetSpec{Replicas: o.Spec.Replicas}
	case *appsv1.ReplicaSet:
		trimMeta(&o.ObjectMeta)
		o.Spec = appsv1.ReplicaSetSpec{}
	case *corev1.Pod:
		trimMeta(&o.ObjectMeta)
		o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName}
		o.Status.PodIPs, o.Status.HostIPs = nil, nil
	case *corev1.Event:
		trimMeta(&o.ObjectMeta)
	}
	return object, nil
}

// annotationRevision numbers the revisions of a Deployment, on the Deployment and on its ReplicaSets.
const annotationRevision = "deployment.kubernetes.io/revision"

func trimMeta(meta *metav1.ObjectMeta) {
	meta.ManagedFields = nil
	revision, numbered := meta.Annotations[annotationRevision]
	meta.Annotations = nil
	if numbered {
		meta.Annotations = map[string]string{annotationRevision: revision}
	}
}

// eventTime returns when an event was last seen; the field depends on the event's source.
func eventTime(e *corev1.Event) time.Time {
	for _, at := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return e.CreationTimestamp.Time
}
