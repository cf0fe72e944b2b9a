package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// State records a store's state in the annotations of its namespace, in case the store's record is lost.
type State struct {
	api   *kube.Client
	owner ownership
}

// listPageSize is the number of namespaces that one list request returns.
const listPageSize = 500

// ListStores returns the recorded state of every store of this installation in the cluster, to restore records from and to
// find what a delete left behind, and counts the stores of others. It omits namespaces that do not name their store.
func (a *State) ListStores(ctx context.Context) (provision.SavedStores, error) {
	saved := provision.SavedStores{Foreign: map[string]int{}}
	id, err := a.owner.id(ctx)
	if err != nil {
		return saved, err
	}
	err = a.eachNamespace(ctx, func(ns *corev1.Namespace) {
		if other := ns.Labels[labelInstallation]; other != id {
			saved.Foreign[other]++
		} else if isRestoreTest(ns) {
			saved.RestoreTests = append(saved.RestoreTests, restoreTestIn(ns))
		} else if state, ok := savedState(ns); ok {
			saved.Stores = append(saved.Stores, state)
		}
	})
	return saved, err
}

// eachNamespace calls do for the namespace of each store, of whichever installation.
func (a *State) eachNamespace(ctx context.Context, do func(*corev1.Namespace)) error {
	options := metav1.ListOptions{LabelSelector: provision.LabelStore, Limit: listPageSize}
	for {
		list, err := a.api.Clientset.CoreV1().Namespaces().List(ctx, options)
		if err != nil {
			return kube.WrapError(err, "list the stores' namespaces")
		}
		for i := range list.Items {
			do(&list.Items[i])
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return nil
		}
	}
}

// restoreTestIn is the restore test that has made the namespace.
func restoreTestIn(ns *corev1.Namespace) provision.SavedRestoreTest {
	test := provision.SavedRestoreTest{Began: ns.CreationTimestamp.Time}
	_ = json.Unmarshal([]byte(ns.Annotations[annotationRequest]), &test.Store.Request)
	test.Store.Generation = generationOf(ns)
	return test
}

func savedState(ns *corev1.Namespace) (provision.SavedState, bool) {
	id := ns.Annotations[annotationStoreID]
	s := provision.Store{Request: provision.Request{StoreID: id}, Generation: generationOf(ns)}
	if id == "" || s.Generation == 0 || !belongsTo(ns.Labels, s) {
		return provision.SavedState{}, false
	}
	m := provision.SavedState{Store: storeFrom(ns, s), Op: provision.Op(ns.Annotations[annotationOp])}
	var made provision.Backup
	if json.Unmarshal([]byte(ns.Annotations[annotationBackup]), &made) == nil && made.Run != "" {
		m.Backup = &made
	}
	var test provision.RestoreTest
	if json.Unmarshal([]byte(ns.Annotations[annotationTested]), &test) == nil && test.Run != "" {
		m.RestoreTest = &test
	}
	var outcome provision.Outcome
	if json.Unmarshal([]byte(ns.Annotations[annotationOutcome]), &outcome) == nil && outcome.Generation == s.Generation {
		m.Outcome = &outcome
	}
	if told := deliveredStatus(ns, s); told != "" {
		if m.Outcome == nil {
			m.Outcome, m.Assumed = toldOutcome(s, told), true
		}
		m.Delivered = m.Outcome.Status == told
	}
	return m, true
}

// deliveredStatus is the outcome of the generation that the backend has confirmed, or "".
func deliveredStatus(ns *corev1.Namespace, s provision.Store) provision.Status {
	generation, status, _ := strings.Cut(ns.Annotations[annotationDelivered], " ")
	if generation != strconv.FormatInt(s.Generation, 10) {
		return ""
	}
	return provision.Status(status)
}

// toldOutcome is the outcome of a generation of which the namespace knows only what the backend was told: the worker ended before it could save the outcome itself, and
// another one has delivered it.
func toldOutcome(s provision.Store, told provision.Status) *provision.Outcome {
	o := &provision.Outcome{Generation: s.Generation, Status: told}
	if !told.Succeeded() {
		o.Code, o.Error = provision.CodeInternal, "the cause was told, and was lost with the data of Redis"
	}
	return o
}

// SaveOutcome records the outcome of the store's generation in its namespace. It does nothing if the namespace no longer
// exists or already has a newer generation.
func (a *State) SaveOutcome(ctx context.Context, s provision.Store, v provision.Outcome) error {
	return a.annotateJSON(ctx, s, annotationOutcome, v)
}

// SaveDelivered records in the store's namespace that the backend has confirmed the generation's outcome.
func (a *State) SaveDelivered(ctx context.Context, s provision.Store, delivered provision.Status) error {
	return a.annotate(ctx, s, annotationDelivered, deliveredText(s, delivered))
}

// SaveProtected records in the store's namespace whether a delete of the store is accepted.
func (a *State) SaveProtected(ctx context.Context, s provision.Store, protected bool) error {
	return a.annotate(ctx, s, annotationProtected, strconv.FormatBool(protected))
}

// saveBackup records the store's last good backup in its namespace, from where it comes back after a loss of Redis.
func (a *State) saveBackup(ctx context.Context, s provision.Store, made provision.Backup) error {
	return a.annotateJSON(ctx, s, annotationBackup, made)
}

// saveRestoreTest records in the store's namespace that a backup was proven.
func (a *State) saveRestoreTest(ctx context.Context, s provision.Store, test provision.RestoreTest) error {
	return a.annotateJSON(ctx, s, annotationTested, test)
}

func (a *State) abandonRestore(ctx context.Context, s provision.Store) error {
	return a.annotate(ctx, s, annotationRestore, "")
}

// deliveredText includes the status, since a delivered failure may be followed by a success that is not delivered yet.
func deliveredText(s provision.Store, delivered provision.Status) string {
	return strconv.FormatInt(s.Generation, 10) + " " + string(delivered)
}

func (a *State) annotateJSON(ctx context.Context, s provision.Store, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return a.annotate(ctx, s, key, string(text))
}

// annotate sets one annotation, in one request, if the namespace belongs to the store and has the store's generation.
func (a *State) annotate(ctx context.Context, s provision.Store, key, value string) error {
	if s.Namespace == "" {
		return nil
	}
	id, err := a.owner.id(ctx)
	if err != nil {
		return err
	}
	steps := []patchStep{
		{"test", metadataPath("labels", provision.LabelStore), provision.StoreLabel(s.StoreID)},
		{"test", metadataPath("annotations", annotationGeneration), strconv.FormatInt(s.Generation, 10)},
		{"add", metadataPath("annotations", key), value},
	}
	if id != "" {
		steps = slices.Insert(steps, 0, patchStep{"test", metadataPath("labels", labelInstallation), id})
	}
	err = a.patch(ctx, s.Namespace, steps...)
	// The API server reports a failed test as invalid.
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return kube.WrapError(err, "annotate namespace %s", s.Namespace)
}

// patchStep is a step of a JSON patch. A test that fails, and with it the whole patch, comes as invalid.
type patchStep struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
}

// metadataPath is where a label or an annotation is in a JSON patch; kind is "labels" or "annotations".
func metadataPath(kind, key string) string {
	return "/metadata/" + kind + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// patch changes a namespace in one request.
func (a *State) patch(ctx context.Context, namespace string, steps ...patchStep) error {
	data, err := json.Marshal(steps)
	if err != nil {
		return err
	}
	return a.api.Write(ctx, func() error {
		_, err := a.api.Clientset.CoreV1().Namespaces().Patch(ctx, namespace, types.JSONPatchType, data, metav1.PatchOptions{})
		return err
	})
}
