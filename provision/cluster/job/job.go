// Package job runs a pod beside a store's release, for as long as it takes to do one thing in the running shop.
package job

import (
	"cmp"
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/cluster/readiness"
)

// selector finds the pods of jobs by the label that their charts set: those of backups and restores are others, since these reach other servers than the shop does.
const selector = "app.kubernetes.io/component in (job, backup, restore)"

const (
	maxTries = 3                // pods that may fail before the job has
	endGrace = 10 * time.Second // to delete a pod that is not waited for any more
)

// Run makes the pod, returns when it has ended well, and leaves none. The message is the pod's termination message, at most 4 KiB: what its first container has
// written there, and "" where it has written nothing. A pod of that name that is there already, left by a run that ended, is the job's: its result counts.
// A pod that fails is replaced twice. Codes: crash for a job that fails, with the end of its message, timeout at the deadline, and those of the API server.
func Run(ctx context.Context, api *kube.Client, pod *corev1.Pod, deadline time.Time) (message string, err error) {
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, provision.Errorf(provision.CodeTimeout, "pod %s did not end in time", pod.Name))
	defer cancel()
	r := &run{api: api, pod: pod}
	for try := 1; ; try++ {
		err := r.once(ctx)
		if err == nil {
			err = r.remove(ctx)
		}
		switch {
		case err != nil:
			return "", r.left(ctx, err)
		case r.seen.Status.Phase == corev1.PodSucceeded:
			return messageOf(r.seen), nil
		case try == maxTries:
			return "", provision.Errorf(provision.CodeCrash, "pod %s failed %d times: %s", pod.Name, try, r.why())
		}
	}
}

// messageOf is what the pod's first container has left behind.
func messageOf(pod *corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if ended := status.State.Terminated; ended != nil && status.Name == pod.Spec.Containers[0].Name {
			return ended.Message
		}
	}
	return ""
}

// Forget deletes the Secret that the pod of a backup reads. None is success.
func Forget(ctx context.Context, api *kube.Client, namespace string) error {
	err := api.Write(ctx, func() error {
		return api.Clientset.CoreV1().Secrets(namespace).Delete(ctx, provision.BackupAccessSecret, metav1.DeleteOptions{})
	})
	return kube.WrapError(kube.IgnoreNotFound(err), "delete secret %s in namespace %s", provision.BackupAccessSecret, namespace)
}

// AnnotationGeneration of a job's pod is the generation that it works for.
const AnnotationGeneration = "orchestrator/generation"

// EndOthers deletes the pods of jobs beside which this one must not run, and whose result is not to be taken for its own: those of other jobs, and those of its name that
// work for another generation.
func EndOthers(ctx context.Context, api *kube.Client, pod *corev1.Pod) error {
	return endPods(ctx, api, pod.Namespace, func(other *corev1.Pod) bool {
		return other.Name != pod.Name || other.Annotations[AnnotationGeneration] != pod.Annotations[AnnotationGeneration]
	})
}

// End deletes the pods of jobs in a namespace, and what opens the store's backups: the shop that they work in is going.
func End(ctx context.Context, api *kube.Client, namespace string) error {
	if err := endPods(ctx, api, namespace, func(*corev1.Pod) bool { return true }); err != nil {
		return err
	}
	return Forget(ctx, api, namespace)
}

func endPods(ctx context.Context, api *kube.Client, namespace string, which func(*corev1.Pod) bool) error {
	list, err := api.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return kube.WrapError(err, "list the pods of jobs in namespace %s", namespace)
	}
	for i := range list.Items {
		if !which(&list.Items[i]) {
			continue
		}
		if err := (&run{api: api, pod: &list.Items[i]}).remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

type run struct {
	api  *kube.Client
	pod  *corev1.Pod
	seen *corev1.Pod // as it was last; nil if it never was
}

// once makes the pod, unless it is there, and returns when it has ended.
func (r *run) once(ctx context.Context) error {
	err := r.api.Write(ctx, func() error {
		_, err := r.api.Clientset.CoreV1().Pods(r.pod.Namespace).Create(ctx, r.pod, metav1.CreateOptions{})
		return err
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return kube.WrapError(err, "create pod %s in namespace %s", r.pod.Name, r.pod.Namespace)
	}
	return r.until(ctx, func(there bool) (bool, error) {
		if !there {
			return false, provision.Errorf(provision.CodeUnavailable, "pod %s was deleted before it had ended", r.pod.Name)
		}
		return r.seen.Status.Phase == corev1.PodSucceeded || r.seen.Status.Phase == corev1.PodFailed, nil
	})
}

// remove deletes the pod and returns when it is gone, so that another one may have its name. None is success.
func (r *run) remove(ctx context.Context) error {
	pods := r.api.Clientset.CoreV1().Pods(r.pod.Namespace)
	err := r.api.Write(ctx, func() error { return pods.Delete(ctx, r.pod.Name, metav1.DeleteOptions{}) })
	if err != nil && !apierrors.IsNotFound(err) {
		return kube.WrapError(err, "delete pod %s in namespace %s", r.pod.Name, r.pod.Namespace)
	}
	return r.until(ctx, func(there bool) (bool, error) { return !there, nil })
}

// until watches the pod until done, which is told whether there is one. A watch that breaks is resumed.
func (r *run) until(ctx context.Context, done func(there bool) (bool, error)) error {
	pods := r.api.Clientset.CoreV1().Pods(r.pod.Namespace)
	lw := kube.Named(r.pod.Name, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return pods.List(ctx, o) }, pods.Watch)
	var store cache.Store
	look := func() (bool, error) {
		all := store.List()
		for _, object := range all {
			r.seen, _ = object.(*corev1.Pod)
		}
		return done(len(all) > 0)
	}
	_, err := watchtools.UntilWithSync(ctx, lw, &corev1.Pod{},
		func(s cache.Store) (bool, error) { store = s; return look() },
		func(watch.Event) (bool, error) { return look() })
	return err
}

// left is the error of a job that is given up. Its pod is deleted, if that can be done now: what it does may not be wanted any more. A later run would
// find it otherwise.
func (r *run) left(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	cause := context.Cause(ctx)
	if provision.CodeOf(cause) == provision.CodeTimeout {
		cause = provision.Wrap(provision.CodeTimeout, cause, "pod %s did not end in time: %s", r.pod.Name, r.why())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	_ = r.remove(ctx)
	return cause
}

func (r *run) why() string {
	if r.seen == nil {
		return "it was never seen"
	}
	return cmp.Or(readiness.Explain(r.seen), "the cluster does not say why")
}
