package cluster

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

// informed is what the process knows of all stores' workloads, kept up to date by watches that all waiting runs share.
type informed struct {
	workloads informers.SharedInformerFactory // everything that carries the stores' label
	failures  informers.SharedInformerFactory // events of objects that could not be created: events carry no labels
	bell      *bell
	ready     atomic.Bool

	deployments  appslisters.DeploymentLister
	statefulSets appslisters.StatefulSetLister
	replicaSets  appslisters.ReplicaSetLister
	pods         corelisters.PodLister
	events       corelisters.EventLister
}

// reasonFailedCreate is what controllers call a pod or a claim that they could not create.
const reasonFailedCreate = "FailedCreate"

func newInformed(client kubernetes.Interface, log *slog.Logger) *informed {
	i := &informed{bell: newBell()}
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
		// Both fail only for an informer that runs already or has ended.
		_, _ = informer.AddEventHandler(i.bell.handler())
		_ = informer.SetWatchErrorHandlerWithContext(complain(log))
	}
	i.deployments, i.statefulSets, i.replicaSets = apps.Deployments().Lister(), apps.StatefulSets().Lister(), apps.ReplicaSets().Lister()
	i.pods, i.events = core.Pods().Lister(), events.Lister()
	return i
}

// complain makes a watch that cannot be kept up heard: without it, readiness is blind. A watch that ended in good order,
// or that slept for too long, is not worth a word.
func complain(log *slog.Logger) cache.WatchErrorHandlerWithContext {
	return func(ctx context.Context, _ *cache.Reflector, err error) {
		usual := errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
		if !usual && ctx.Err() == nil {
			log.Warn("the stores' workloads cannot be watched; it is tried again", "error", err)
		}
	}
}

// start runs the informers until ctx ends and returns when each has seen the cluster once.
func (i *informed) start(ctx context.Context) error {
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

func (i *informed) synced() bool { return i.ready.Load() }

func (i *informed) stop() {
	i.workloads.Shutdown()
	i.failures.Shutdown()
}

// view is what is known of one store's namespace at one moment. Nothing in it may be changed: it is the informers' own.
type view struct {
	deployments  []*appsv1.Deployment
	statefulSets []*appsv1.StatefulSet
	replicaSets  []*appsv1.ReplicaSet
	pods         []*corev1.Pod
	events       []*corev1.Event
}

// view reads the caches by their namespace index. Listing a cache cannot fail.
func (i *informed) view(namespace string, store labels.Selector) view {
	var v view
	v.deployments, _ = i.deployments.Deployments(namespace).List(store)
	v.statefulSets, _ = i.statefulSets.StatefulSets(namespace).List(store)
	v.replicaSets, _ = i.replicaSets.ReplicaSets(namespace).List(store)
	v.pods, _ = i.pods.Pods(namespace).List(store)
	v.events, _ = i.events.Events(namespace).List(labels.Everything())
	return v
}

// trim keeps what readiness reads, so that thousands of stores fit into a worker: managed fields, specs and most
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

// annotationRevision numbers the revisions of a Deployment, on itself and on its ReplicaSets.
const annotationRevision = "deployment.kubernetes.io/revision"

func trimMeta(meta *metav1.ObjectMeta) {
	meta.ManagedFields = nil
	revision, numbered := meta.Annotations[annotationRevision]
	meta.Annotations = nil
	if numbered {
		meta.Annotations = map[string]string{annotationRevision: revision}
	}
}

// eventTime is when an event was last seen; which field says so depends on who wrote it.
func eventTime(e *corev1.Event) time.Time {
	for _, at := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time, e.FirstTimestamp.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return e.CreationTimestamp.Time
}
