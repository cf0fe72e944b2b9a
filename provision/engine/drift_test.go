package engine_test

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"orchestrator/provision/cluster/helm"
)

// TestEveryChangedFieldIsFoundAndRestored changes and removes each field of each object of every variant, one at a time.
func TestEveryChangedFieldIsFoundAndRestored(t *testing.T) {
	var seen sync.Map // by shape: the same fields of the same kind, whatever is in them
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for document := range strings.SplitSeq("\n"+render(t, v).manifest, "\n---\n") {
				wanted := decoded(t, []byte(document))
				if _, known := seen.LoadOrStore(shape(wanted), true); !known && wanted.Object != nil {
					restoresEveryField(t, wanted)
				}
			}
		})
	}
}

func shape(object *unstructured.Unstructured) string {
	paths := []string{object.GetKind()}
	eachChange(object.DeepCopy().Object, "", func(path string) { paths = append(paths, path) })
	slices.Sort(paths)
	return strings.Join(paths, "\n")
}

func restoresEveryField(t *testing.T, wanted *unstructured.Unstructured) {
	t.Helper()
	looks := 0
	changing := wanted.DeepCopy()
	eachChange(changing.Object, "", func(path string) {
		if !restorable(wanted.GetKind(), path) {
			return
		}
		looks++
		change := differenceOf(t, wanted, changing)
		if len(change) == 0 {
			t.Errorf("%s %s: the change of %s is not found", wanted.GetKind(), wanted.GetName(), path)
		}
		restored := patched(t, changing, change)
		if left := differenceOf(t, wanted, restored); !reflect.DeepEqual(patched(t, restored, left), restored) {
			t.Errorf("%s %s: after the change of %s was restored, there is still %v", wanted.GetKind(), wanted.GetName(), path, left)
		}
	})
	if looks == 0 && wanted.GetKind() != "PersistentVolumeClaim" {
		t.Errorf("%s %s: no field was changed", wanted.GetKind(), wanted.GetName())
	}
}

// restorable reports whether a hand can change the field, and it is to be changed back.
func restorable(kind, path string) bool {
	for _, fixed := range []string{".apiVersion", ".kind", ".metadata.name", ".metadata.namespace"} {
		if strings.TrimSuffix(path, removed) == fixed {
			return false
		}
	}
	if elementKey.MatchString(path) {
		return false
	}
	return kind != "PersistentVolumeClaim" || !strings.HasPrefix(path, ".spec")
}

const removed = " (removed)"

// elementKey is what no element of its list can be without.
var elementKey = regexp.MustCompile(`\]\.(name|port|containerPort|mountPath|key|topologyKey) \(removed\)$`)

// eachChange calls look while one of the leaves below value has another value, and while it is not there.
func eachChange(value any, at string, look func(path string)) {
	leaf := func(inner any, path string, set func(any), remove func()) {
		switch inner.(type) {
		case map[string]any, []any:
			eachChange(inner, path, look)
			return
		}
		set(another(inner))
		look(path)
		if remove != nil {
			remove()
			look(path + removed)
		}
		set(inner)
	}
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range maps.Clone(v) {
			leaf(inner, at+"."+key, func(other any) { v[key] = other }, func() { delete(v, key) })
		}
	case []any:
		for i, inner := range v {
			leaf(inner, fmt.Sprintf("%s[%d]", at, i), func(other any) { v[i] = other }, nil)
		}
	}
}

func another(value any) any {
	switch v := value.(type) {
	case bool:
		return !v
	case int64:
		return v + 1
	case float64:
		return v + 1
	}
	return fmt.Sprint(value) + "x"
}

func differenceOf(t *testing.T, wanted, live *unstructured.Unstructured) map[string]any {
	t.Helper()
	change, err := helm.Difference(wanted, live)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// patched is the object after the API server has applied the patch.
func patched(t *testing.T, live *unstructured.Unstructured, change map[string]any) *unstructured.Unstructured {
	t.Helper()
	kind, err := scheme.Scheme.New(live.GroupVersionKind())
	if err != nil {
		return &unstructured.Unstructured{Object: merged(live.DeepCopy().Object, change)}
	}
	after, err := strategicpatch.StrategicMergeMapPatch(live.DeepCopy().Object, runtime.DeepCopyJSON(change), kind)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: after}
}

// merged applies a JSON merge patch (RFC 7386).
func merged(object, change map[string]any) map[string]any {
	for key, value := range change {
		inner, isMap := value.(map[string]any)
		old, _ := object[key].(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap && old == nil:
			object[key] = merged(map[string]any{}, inner)
		case isMap:
			object[key] = merged(old, inner)
		default:
			object[key] = value
		}
	}
	return object
}
