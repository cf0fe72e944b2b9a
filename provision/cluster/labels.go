package cluster

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
)

// Manager names the orchestrator as the manager of objects and of their fields, and as a client of the API server.
const Manager = "orchestrator"

// Labels of what the orchestrator makes itself; [provision.LabelStore] is the one that decides.
const (
	labelManagedBy   = "app.kubernetes.io/managed-by"
	labelPodSecurity = "pod-security.kubernetes.io/enforce"
	podSecurityLevel = "baseline"
)

// Annotations of a store's namespace: what the cluster itself knows about the store, should the record be lost.
const (
	annotationStoreID    = "orchestrator/store-id"
	annotationGeneration = "orchestrator/generation"
	annotationOp         = "orchestrator/op"
	annotationRequest    = "orchestrator/request" // JSON of the newest provision's request
	annotationRelease    = "orchestrator/release"
	annotationRetain     = "orchestrator/retain-data" // "true": the delete leaves everything but the release
	annotationApplied    = "orchestrator/applied"     // "<generation> <RFC 3339 time>"
	annotationVerdict    = "orchestrator/verdict"     // JSON of the generation's provision.Verdict
	annotationTold       = "orchestrator/told"        // "<generation> <status>" that the backend has confirmed
)

// annotationEntries of the store's Secret names the entries that it was made with, so that one that somebody has removed is
// not taken for a new one.
const annotationEntries = "orchestrator/entries"

// labelsOf are the labels of an object that belongs to the store.
func labelsOf(s provision.Store) map[string]string {
	return map[string]string{provision.LabelStore: provision.StoreLabel(s.StoreID), labelManagedBy: Manager}
}

// ours reports whether a set of labels says that its object belongs to the store.
func ours(labels map[string]string, s provision.Store) bool {
	return labels[provision.LabelStore] == provision.StoreLabel(s.StoreID)
}

// generationOf is the newest generation that has touched the namespace; 0 when none has written itself down.
func generationOf(ns *corev1.Namespace) int64 {
	n, _ := strconv.ParseInt(ns.Annotations[annotationGeneration], 10, 64)
	return n
}

// beingDeleted reports whether a delete has begun on the namespace that leaves nothing, and has not ended.
func beingDeleted(ns *corev1.Namespace) bool {
	return ns.DeletionTimestamp != nil || (ns.Annotations[annotationOp] == string(provision.OpDelete) && !retained(ns))
}

// retained reports whether the last delete of the store leaves its data. Whether that delete has ended makes no
// difference to a later provision: what is left of the release is repaired like any other.
func retained(ns *corev1.Namespace) bool { return ns.Annotations[annotationRetain] == "true" }

// storeIn is the store as its namespace describes it, as a part of s's generation. An unreadable annotation leaves a
// field empty: a delete has to work with what there is.
func storeIn(ns *corev1.Namespace, s provision.Store) provision.Store {
	var found provision.Store
	_ = json.Unmarshal([]byte(ns.Annotations[annotationRequest]), &found.Request)
	found.StoreID, found.Namespace, found.Generation = s.StoreID, ns.Name, s.Generation
	if name := ns.Annotations[annotationRelease]; name != "" {
		found.Name = name
	}
	found.RetainData = retained(ns)
	return found
}

// describe writes the store's request and generation down in the namespace.
func describe(ns *corev1.Namespace, s provision.Store) {
	request, err := json.Marshal(s.Request)
	if err != nil {
		panic("cluster: a request of plain strings did not marshal: " + err.Error())
	}
	mark(ns, provision.OpProvision, s)
	ns.Annotations[annotationRequest] = string(request)
	ns.Annotations[annotationRelease] = s.Name
	if ns.Labels == nil {
		ns.Labels = map[string]string{}
	}
	for key, value := range labelsOf(s) {
		ns.Labels[key] = value
	}
	ns.Labels[labelPodSecurity] = podSecurityLevel
}

// mark writes op and generation down in the namespace and leaves the request as it is: a delete needs to know what was
// there.
func mark(ns *corev1.Namespace, op provision.Op, s provision.Store) {
	if ns.Annotations == nil {
		ns.Annotations = map[string]string{}
	}
	ns.Annotations[annotationStoreID] = s.StoreID
	ns.Annotations[annotationGeneration] = strconv.FormatInt(s.Generation, 10)
	ns.Annotations[annotationOp] = string(op)
	delete(ns.Annotations, annotationRetain)
	if op == provision.OpDelete && s.RetainData {
		ns.Annotations[annotationRetain] = "true"
	}
}

// appliedAt is when the generation's release was first applied, as the namespace says.
func appliedAt(ns *corev1.Namespace, generation int64) (time.Time, bool) {
	first, rest, _ := strings.Cut(ns.Annotations[annotationApplied], " ")
	if first != strconv.FormatInt(generation, 10) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, rest)
	return at, err == nil
}

func setApplied(ns *corev1.Namespace, generation int64, at time.Time) {
	ns.Annotations[annotationApplied] = strconv.FormatInt(generation, 10) + " " + at.UTC().Format(time.RFC3339Nano)
}
