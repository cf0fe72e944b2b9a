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
)

// surveyPage is how many namespaces one request of a survey asks for.
const surveyPage = 500

// ListStores returns what the cluster knows of every store that it holds, for the records to be rebuilt from and for what
// a delete left behind to be found. Namespaces that do not say whose they are, are left out.
func (c *Cluster) ListStores(ctx context.Context) ([]provision.SavedState, error) {
	var memories []provision.SavedState
	options := metav1.ListOptions{LabelSelector: provision.LabelStore, Limit: surveyPage}
	for {
		list, err := c.client.CoreV1().Namespaces().List(ctx, options)
		if err != nil {
			return nil, failure(err, "list the stores' namespaces")
		}
		for i := range list.Items {
			if memory, ok := memoryOf(&list.Items[i]); ok {
				memories = append(memories, memory)
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return memories, nil
		}
	}
}

func memoryOf(ns *corev1.Namespace) (provision.SavedState, bool) {
	id := ns.Annotations[annotationStoreID]
	s := provision.Store{Request: provision.Request{StoreID: id}, Generation: generationOf(ns)}
	if id == "" || s.Generation == 0 || !ours(ns.Labels, s) {
		return provision.SavedState{}, false
	}
	m := provision.SavedState{Store: storeIn(ns, s), Op: provision.Op(ns.Annotations[annotationOp])}
	var verdict provision.Outcome
	if json.Unmarshal([]byte(ns.Annotations[annotationVerdict]), &verdict) == nil && verdict.Generation == s.Generation {
		m.Outcome = &verdict
	}
	m.Delivered = m.Outcome != nil && ns.Annotations[annotationTold] == toldText(s, verdict.Status)
	return m, true
}

// SaveOutcome writes the verdict of the store's generation into its namespace. Where there is none any more, or a newer
// generation has touched it, there is nothing to remember.
func (c *Cluster) SaveOutcome(ctx context.Context, s provision.Store, v provision.Outcome) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.annotate(ctx, s, annotationVerdict, string(text))
}

// SaveDelivered notes in the store's namespace that the backend has confirmed the generation's verdict.
func (c *Cluster) SaveDelivered(ctx context.Context, s provision.Store, told provision.Status) error {
	return c.annotate(ctx, s, annotationTold, toldText(s, told))
}

// toldText names the verdict too, since a failure that was told may become a success that was not.
func toldText(s provision.Store, told provision.Status) string {
	return strconv.FormatInt(s.Generation, 10) + " " + string(told)
}

// annotate sets one annotation if the namespace is the store's and of its generation, in one request.
func (c *Cluster) annotate(ctx context.Context, s provision.Store, key, value string) error {
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
	err = c.write(ctx, func() error {
		_, err := c.client.CoreV1().Namespaces().Patch(ctx, s.Namespace, types.JSONPatchType, patch, metav1.PatchOptions{})
		return err
	})
	// A test that does not hold is answered as invalid.
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil
	}
	return failure(err, "annotate namespace %s", s.Namespace)
}
