package cluster

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// Labels of the objects that the orchestrator creates itself; only [provision.LabelStore] decides about ownership.
const (
	labelManagedBy   = "app.kubernetes.io/managed-by"
	labelPodSecurity = "pod-security.kubernetes.io/enforce"
	labelRestoreTest = "orchestrator/restore-test" // "true": the namespace is beside that of its store, to test a backup
	podSecurityLevel = "baseline"
)

// Annotations of a store's namespace: the cluster's own copy of the store's state, in case the record is lost.
const (
	annotationStoreID    = "orchestrator/store-id"
	annotationGeneration = "orchestrator/generation"
	annotationOp         = "orchestrator/op"
	annotationRequest    = "orchestrator/request" // JSON of the latest provision request
	annotationRelease    = "orchestrator/release"
	annotationRetain     = "orchestrator/retain-data"  // "true": the delete removes the release only
	annotationSuspended  = "orchestrator/suspended"    // "true": the request suspends the store
	annotationProtected  = "orchestrator/protected"    // "true": no delete of the store is accepted
	annotationBackup     = "orchestrator/backup"       // the last good backup as JSON; it holds nothing that opens it
	annotationTested     = "orchestrator/restore-test" // the last restore test that has passed, as JSON
	annotationRestore    = "orchestrator/restore"      // the restore that was asked for and has not come to its READY, as JSON
	annotationDeleteAt   = "orchestrator/delete-at"    // "<RFC 3339 time>[ retain][ quiet][ suspended]": the store is to be deleted then
	annotationRotation   = "orchestrator/rotation"     // the newest request to rotate the credentials, as a generation
	annotationLeftover   = "orchestrator/leftover"     // name of the release that a provision deletes before it begins
	annotationApplied    = "orchestrator/applied"      // "<generation> <RFC 3339 time>"
	annotationOutcome    = "orchestrator/outcome"      // JSON of the generation's provision.Outcome
	annotationDelivered  = "orchestrator/delivered"    // "<generation> <status>" that the backend has confirmed
)

// annotationEntries of the store's Secret lists the entries that were generated in it, so that a removed entry is not taken
// for a new one.
const annotationEntries = "orchestrator/entries"

// labelsOf returns the labels of an object that belongs to the store.
func labelsOf(s provision.Store) map[string]string {
	return map[string]string{provision.LabelStore: provision.StoreLabel(s.StoreID), labelManagedBy: kube.Manager}
}

// belongsTo reports whether an object with these labels belongs to the store.
func belongsTo(labels map[string]string, s provision.Store) bool {
	return labels[provision.LabelStore] == provision.StoreLabel(s.StoreID)
}

// isRestoreTest reports whether the namespace is beside that of its store, to test a backup.
func isRestoreTest(ns *corev1.Namespace) bool { return ns.Labels[labelRestoreTest] == "true" }

// generationOf returns the newest generation that is recorded in the namespace; 0 if none is.
func generationOf(ns *corev1.Namespace) int64 {
	n, _ := strconv.ParseInt(ns.Annotations[annotationGeneration], 10, 64)
	return n
}

// beingDeleted reports whether a delete without retained data has started on the namespace and has not finished.
func beingDeleted(ns *corev1.Namespace) bool {
	_, leftover := ns.Annotations[annotationLeftover]
	return leftover || ns.DeletionTimestamp != nil || (ns.Annotations[annotationOp] == string(provision.OpDelete) && !retained(ns))
}

// retained reports whether the last delete of the store retains its data. A later provision need not know whether that
// delete has finished: it repairs the rest of the release like any other release.
func retained(ns *corev1.Namespace) bool { return ns.Annotations[annotationRetain] == "true" }

// storeFrom returns the store as its namespace describes it, with the generation of s. An unreadable annotation leaves a
// field empty: a delete must work with what is left.
func storeFrom(ns *corev1.Namespace, s provision.Store) provision.Store {
	var found provision.Store
	_ = json.Unmarshal([]byte(ns.Annotations[annotationRequest]), &found.Request)
	found.StoreID, found.Namespace, found.Generation, found.RestoreTest = s.StoreID, ns.Name, s.Generation, isRestoreTest(ns)
	if name := ns.Annotations[annotationRelease]; name != "" {
		found.Name = name
	}
	found.RetainData, found.Suspended = retained(ns), ns.Annotations[annotationSuspended] == "true"
	found.Rotation, _ = strconv.ParseInt(ns.Annotations[annotationRotation], 10, 64)
	found.Restore = restoreFrom(ns.Annotations[annotationRestore])
	found.Grave = graveFrom(ns.Annotations[annotationDeleteAt])
	found.Protected = ns.Annotations[annotationProtected] == "true"
	return found
}

// annotateStore sets the store's labels, request and generation on the namespace.
func annotateStore(ns *corev1.Namespace, s provision.Store) {
	request, err := json.Marshal(s.Request)
	if err != nil {
		panic("cluster: a request of plain strings did not marshal: " + err.Error())
	}
	annotateOp(ns, provision.OpProvision, s)
	setFlag(ns, annotationProtected, s.Protected)
	if s.Rotation > 0 {
		ns.Annotations[annotationRotation] = strconv.FormatInt(s.Rotation, 10)
	}
	annotateRestore(ns, s.Restore)
	ns.Annotations[annotationRequest] = string(request)
	ns.Annotations[annotationRelease] = s.Name
	if ns.Labels == nil {
		ns.Labels = map[string]string{}
	}
	for key, value := range labelsOf(s) {
		ns.Labels[key] = value
	}
	if s.RestoreTest {
		ns.Labels[labelRestoreTest] = "true"
	}
	ns.Labels[labelPodSecurity] = podSecurityLevel
}

func annotateRestore(ns *corev1.Namespace, r *provision.Restore) {
	if r == nil {
		delete(ns.Annotations, annotationRestore)
		return
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic("cluster: a restore of plain strings did not marshal: " + err.Error())
	}
	ns.Annotations[annotationRestore] = string(text)
}

func restoreFrom(text string) *provision.Restore {
	var r provision.Restore
	if json.Unmarshal([]byte(text), &r) != nil || r.Generation == 0 {
		return nil
	}
	return &r
}

// annotateDelete says that what is in the namespace is being deleted, for a delete or for a provision that finishes one. The
// latter's request is recorded, so that the provision, not the delete, is recovered after a loss of Redis; what was
// installed before is then only in annotationLeftover.
func annotateDelete(ns *corev1.Namespace, op provision.Op, s provision.Store) {
	if op == provision.OpDelete {
		annotateOp(ns, op, s)
		return
	}
	leftover := leftoverFrom(ns, s).Name
	annotateStore(ns, s)
	ns.Annotations[annotationLeftover] = leftover
}

// leftoverFrom returns the store as it was installed in a namespace that is being deleted.
func leftoverFrom(ns *corev1.Namespace, s provision.Store) provision.Store {
	found := storeFrom(ns, s)
	if name, leftover := ns.Annotations[annotationLeftover]; leftover {
		found.Name = name
	}
	return found
}

// annotateOp sets op and generation on the namespace and leaves the request as it is: a delete needs to know what was
// installed.
func annotateOp(ns *corev1.Namespace, op provision.Op, s provision.Store) {
	if ns.Annotations == nil {
		ns.Annotations = map[string]string{}
	}
	if !s.RestoreTest { // a namespace that names no store is none that is recovered
		ns.Annotations[annotationStoreID] = s.StoreID
	}
	ns.Annotations[annotationGeneration] = strconv.FormatInt(s.Generation, 10)
	ns.Annotations[annotationOp] = string(op)
	setFlag(ns, annotationSuspended, op == provision.OpProvision && s.Suspended)
	setFlag(ns, annotationRetain, op == provision.OpDelete && s.RetainData)
	delete(ns.Annotations, annotationDeleteAt)
	if op == provision.OpProvision && s.Grave != nil {
		ns.Annotations[annotationDeleteAt] = graveText(*s.Grave)
	}
}

func graveText(g provision.Grave) string {
	text := g.At.UTC().Format(time.RFC3339Nano)
	if g.RetainData {
		text += " retain"
	}
	if g.Quiet {
		text += " quiet"
	}
	if g.Suspended {
		text += " suspended"
	}
	return text
}

// graveFrom returns nil for what is not a date: the store is kept.
func graveFrom(text string) *provision.Grave {
	first, rest, _ := strings.Cut(text, " ")
	words := strings.Fields(rest)
	at, err := time.Parse(time.RFC3339Nano, first)
	if err != nil {
		return nil
	}
	return &provision.Grave{At: at, RetainData: slices.Contains(words, "retain"), Quiet: slices.Contains(words, "quiet"), Suspended: slices.Contains(words, "suspended")}
}

// setFlag sets an annotation to "true", or removes it.
func setFlag(ns *corev1.Namespace, annotation string, on bool) {
	delete(ns.Annotations, annotation)
	if on {
		ns.Annotations[annotation] = "true"
	}
}

// appliedAt returns when the generation's release was first applied, as recorded in the namespace.
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
