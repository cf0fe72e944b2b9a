package readiness

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// workload is a Deployment or a StatefulSet as readiness sees it.
type workload struct {
	kind, name string
	uid        types.UID
	generation int64
	observed   int64 // the generation that the numbers below belong to
	desired    int32
	updated    int32 // pods of the current revision
	total      int32 // pods of any revision
	available  int32

	revision string      // label of the current revision's pods; "" while it is unknown
	owners   []types.UID // whose failures to create pods count: the workload and its current ReplicaSet
	failure  string      // why pods cannot be created, from the workload's own condition
}

func (w workload) String() string { return w.kind + " " + w.name }

// incomplete says what the rollout of the current revision still waits for; "" if it is complete and no old pod is left.
func (w workload) incomplete() string {
	switch {
	case w.observed < w.generation:
		return fmt.Sprintf("%s: its last change has not been observed", w)
	case w.updated < w.desired:
		return fmt.Sprintf("%s: %d of %d pods up to date", w, w.updated, w.desired)
	case w.total > w.updated:
		return fmt.Sprintf("%s: %d old pods left", w, w.total-w.updated)
	case w.available < w.desired:
		return fmt.Sprintf("%s: %d of %d pods available", w, w.available, w.desired)
	}
	return ""
}

// workloads returns the view's Deployments and StatefulSets except those that are being deleted, sorted by kind and name.
func (v view) workloads() []workload {
	var all []workload
	for _, d := range v.deployments {
		if d.DeletionTimestamp == nil {
			all = append(all, v.deployment(d))
		}
	}
	for _, s := range v.statefulSets {
		if s.DeletionTimestamp == nil {
			all = append(all, statefulSet(s))
		}
	}
	slices.SortFunc(all, func(a, b workload) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	return all
}

func (v view) deployment(d *appsv1.Deployment) workload {
	w := workload{
		kind: "deployment", name: d.Name, uid: d.UID, generation: d.Generation, observed: d.Status.ObservedGeneration,
		desired: replicas(d.Spec.Replicas), updated: d.Status.UpdatedReplicas, total: d.Status.Replicas,
		available: d.Status.AvailableReplicas, owners: []types.UID{d.UID},
	}
	if set := v.currentReplicaSet(d); set != nil {
		w.revision = set.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		w.owners = append(w.owners, set.UID)
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			w.failure = c.Message
		}
	}
	return w
}

func statefulSet(s *appsv1.StatefulSet) workload {
	return workload{
		kind: "statefulset", name: s.Name, uid: s.UID, generation: s.Generation, observed: s.Status.ObservedGeneration,
		desired: replicas(s.Spec.Replicas), updated: s.Status.UpdatedReplicas, total: s.Status.Replicas,
		available: s.Status.AvailableReplicas, revision: s.Status.UpdateRevision, owners: []types.UID{s.UID},
	}
}

// currentReplicaSet returns the ReplicaSet of the Deployment's newest revision. Pods of older ones do not count: they may be
// the broken ones that this rollout replaces.
func (v view) currentReplicaSet(d *appsv1.Deployment) *appsv1.ReplicaSet {
	var newest *appsv1.ReplicaSet
	for _, set := range v.replicaSets {
		if ownedBy(set.OwnerReferences, d.UID) && (newest == nil || revisionOf(set) > revisionOf(newest)) {
			newest = set
		}
	}
	if newest == nil || newest.Annotations[annotationRevision] != d.Annotations[annotationRevision] {
		return nil
	}
	return newest
}

func revisionOf(set *appsv1.ReplicaSet) int {
	n, _ := strconv.Atoi(set.Annotations[annotationRevision])
	return n
}

// podsOf returns the pods of the workload's current revision that are not being deleted, sorted by name.
func (v view) podsOf(w workload) []*corev1.Pod {
	if w.revision == "" || w.observed < w.generation {
		return nil
	}
	var pods []*corev1.Pod
	for _, pod := range v.pods {
		hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		owner := w.owners[len(w.owners)-1]
		if w.kind == "statefulset" {
			hash = pod.Labels[appsv1.ControllerRevisionHashLabelKey]
		}
		if hash == w.revision && ownedBy(pod.OwnerReferences, owner) && pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return pods
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

func ownedBy(owners []metav1.OwnerReference, uid types.UID) bool {
	return slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return o.UID == uid })
}

// PodReady reports whether the pod has the condition Ready.
func PodReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
