package cluster

import (
	"context"
	"encoding/json"
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
type State struct{ api *kube.Client }

// listPageSize is the number of namespaces that one list request returns.
const listPageSize = 500

// ListStores returns the recorded state of every store in the cluster, to rebuild the records from and to find what a delete
// left behind. It omits namespaces that do not name their store.
func (a *State) ListStores(ctx context.Context) ([]provision.SavedState, error) {
	var states []provision.SavedState
	options := metav1.ListOptions{LabelSelector: provision.LabelStore, Limit: listPageSize}
	for {
		list, err := a.api.Clientset.CoreV1().Namespaces().List(ctx, options)
		if err != nil {
			return nil, kube.WrapError(err, "list the stores' namespaces")
		}
		for i := range list.Items {
			if memory, ok := savedState(&list.Items[i]); ok {
				states = append(states, memory)
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return states, nil
		}
	}
}

func savedState(ns *corev1.Namespace) (provision.SavedState, bool) {
	id := ns.Annotations[annotationStoreID]
	s := provision.Store{Request: provision.Request{StoreID: id}, Generation: generationOf(ns)}
	if id == "" || s.Generation == 0 || !belongsTo(ns.Labels, s) {
		return provision.SavedState{}, false
	}
	m := provision.SavedState{Store: storeFrom(ns, s), Op: provision.Op(ns.Annotations[annotationOp])}
	var outcome provision.Outcome
	if json.Unmarshal([]byte(ns.Annotations[annotationOutcome]), &outcome) == nil && outcome.Generation == s.Generation {
		m.Outcome = &outcome
	}
	m.Delivered = m.Outcome != nil && ns.Annotations[annotationDelivered] == deliveredText(s, outcome.Status)
	return m, true
}

// SaveOutcome records the outcome of the store's generation in its namespace. It does nothing if the namespace no longer
// exists or already has a newer generation.
func (a *State) SaveOutcome(ctx context.Context, s provision.Store, v provision.Outcome) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.annotate(ctx, s, annotationOutcome, string(text))
}

// SaveDelivered records in the store's namespace that the backend has confirmed the generation's outcome.
func (a *State) SaveDelivered(ctx context.Context, s provision.Store, delivered provision.Status) error {
	return a.annotate(ctx, s, annotationDelivered, deliveredText(s, delivered))
}

// deliveredText includes the status, since a delivered failure may be followed by a success that is not delivered yet.
func deliveredText(s provision.Store, delivered provision.Status) string {
	return strconv.FormatInt(s.Generation, 10) + " " + string(delivered)
}

// annotate sets one annotation, in one request, if the namespace belongs to the store and has the store's generation.
func (a *State) annotate(ctx context.Context, s provision.Store, key, value string) error {
	type step struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	at := func(kind, key string) string {
		return "/metadata/" + kind + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
	}
	patch, err := json.Marshal([]step{
		{"test", at("labels", provision.LabelStore), provision.StoreLabel(s.StoreID)},
		{"test", at("annotations", annotationGeneration), strconv.FormatInt(s.Generation, 10)},
		{"add", at("annotations", key), value},
	})
	if err != nil || s.Namespace == "" {
		return err
	}
	err = a.api.Write(ctx, func() error {
		_, err := a.api.Clientset.CoreV1().Namespaces().Patch(ctx, s.Namespace, types.JSONPatchType, patch, metav1.PatchOptions{})
		return err
	})
	// The API server reports a failed test as invalid.
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return kube.WrapError(err, "annotate namespace %s", s.Namespace)
}
