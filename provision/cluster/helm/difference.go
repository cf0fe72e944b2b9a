package helm

import (
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// exactFields are those in which an addition breaks a shop or opens it to others, so that nothing may be added to them.
var exactFields = map[string][][]string{
	"Service":       {{"spec", "selector"}, {"spec", "externalIPs"}},
	"NetworkPolicy": {{"spec", "podSelector"}},
	"ResourceQuota": {{"spec", "hard"}},
}

// replacedFields are those that a strategic merge patch can only replace as a whole, and so holds whether they differ or not.
var replacedFields = map[string][][]string{"PodDisruptionBudget": {{"spec", "selector"}}}

// quantityFields hold quantities that the API server writes in its own way: 4096Mi as 4Gi.
var quantityFields = map[string][][]string{"ResourceQuota": {{"spec", "hard"}}}

// fieldsOfOthers are fields of a kind that are not the release's after it was installed: claims grow, and their templates
// cannot be changed.
var fieldsOfOthers = map[string][][]string{
	"PersistentVolumeClaim": {{"spec"}},
	"StatefulSet":           {{"spec", "volumeClaimTemplates"}},
}

// managersOfOthers are the field managers whose changes are wanted: a HorizontalPodAutoscaler's replicas are written by the
// controller manager, through the subresource "scale".
var managersOfOthers = []string{"kube-controller-manager"}

// acmeChallenge is where certificate managers answer challenges; some add the path to the Ingress of the host for a while.
const acmeChallenge = "/.well-known/acme-challenge/"

// Difference returns the patch that changes live to what the manifest says, empty if there is nothing to change: a merge of
// three sides of which two are the manifest, so that what the manifest does not set is not in it. It is a strategic merge
// patch for the kinds of Kubernetes itself, and a JSON merge patch for others.
func Difference(wanted, live *unstructured.Unstructured) (map[string]any, error) {
	change, err := threeWay(wanted, live)
	if err != nil {
		return nil, err
	}
	for _, path := range replacedFields[wanted.GetKind()] {
		dropUnchanged(change, path, live)
	}
	for _, path := range quantityFields[wanted.GetKind()] {
		dropEqualQuantities(change, path, live)
	}
	for _, path := range exactFields[wanted.GetKind()] {
		removeAdditions(change, path, wanted, live)
	}
	leaveAlone(change, wanted, live)
	return change, nil
}

func threeWay(wanted, live *unstructured.Unstructured) (map[string]any, error) {
	kind := structured(wanted)
	if kind == nil {
		return mergeDifference(wanted, live)
	}
	schema, err := strategicpatch.NewPatchMetaFromStruct(kind)
	if err != nil {
		return nil, err
	}
	manifest, current, err := bothJSON(wanted, live)
	if err != nil {
		return nil, err
	}
	data, err := strategicpatch.CreateThreeWayMergePatch(manifest, manifest, current, schema, true)
	return decode(data, err)
}

// structured returns an object of the kind if it is one of Kubernetes itself, so that its lists can be merged by their keys;
// nil if it is not.
func structured(object *unstructured.Unstructured) runtime.Object {
	kind, err := scheme.Scheme.New(object.GroupVersionKind())
	if err != nil {
		return nil
	}
	return kind
}

// mergeDifference is the difference with every list as a whole.
func mergeDifference(wanted, live *unstructured.Unstructured) (map[string]any, error) {
	manifest, current, err := bothJSON(wanted, live)
	if err != nil {
		return nil, err
	}
	data, err := jsonmergepatch.CreateThreeWayJSONMergePatch(manifest, manifest, current)
	return decode(data, err)
}

func bothJSON(wanted, live *unstructured.Unstructured) (manifest, current []byte, err error) {
	if manifest, err = wanted.MarshalJSON(); err != nil {
		return nil, nil, err
	}
	current, err = live.MarshalJSON()
	return manifest, current, err
}

func decode(data []byte, err error) (map[string]any, error) {
	change := map[string]any{}
	if err == nil {
		err = json.Unmarshal(data, &change) // numbers as in an Unstructured
	}
	return change, err
}

func dropUnchanged(change map[string]any, path []string, live *unstructured.Unstructured) {
	want, _, _ := unstructured.NestedFieldNoCopy(change, path...)
	now, _, _ := unstructured.NestedFieldNoCopy(live.Object, path...)
	if reflect.DeepEqual(want, now) {
		unstructured.RemoveNestedField(change, path...)
	}
}

func dropEqualQuantities(change map[string]any, path []string, live *unstructured.Unstructured) {
	want, _, _ := unstructured.NestedStringMap(change, path...)
	now, _, _ := unstructured.NestedStringMap(live.Object, path...)
	for key, text := range want {
		a, errA := resource.ParseQuantity(text)
		b, errB := resource.ParseQuantity(now[key])
		if errA == nil && errB == nil && a.Cmp(b) == 0 {
			unstructured.RemoveNestedField(change, append(slices.Clone(path), key)...)
		}
	}
}

// removeAdditions adds to the patch that every key of the field goes that the manifest does not have.
func removeAdditions(change map[string]any, path []string, wanted, live *unstructured.Unstructured) {
	now, there, _ := unstructured.NestedFieldNoCopy(live.Object, path...)
	want, _, _ := unstructured.NestedFieldNoCopy(wanted.Object, path...)
	if there {
		addRemovals(change, path, want, now)
	}
}

func addRemovals(change map[string]any, path []string, want, now any) {
	if want == nil {
		_ = unstructured.SetNestedField(change, nil, path...)
		return
	}
	wanted, isMap := want.(map[string]any)
	have, alsoMap := now.(map[string]any)
	if !isMap || !alsoMap {
		return // a list is compared as a whole by the merge
	}
	for key, value := range have {
		addRemovals(change, append(slices.Clone(path), key), wanted[key], value)
	}
}

// leaveAlone drops from the patch what is not the release's: fields of a kind that change by themselves, fields that a
// controller owns, and the path of a certificate's challenge.
func leaveAlone(change map[string]any, wanted, live *unstructured.Unstructured) {
	for _, path := range fieldsOfOthers[wanted.GetKind()] {
		unstructured.RemoveNestedField(change, path...)
	}
	for _, entry := range live.GetManagedFields() {
		var fields map[string]any
		if slices.Contains(managersOfOthers, entry.Manager) && entry.Operation == metav1.ManagedFieldsOperationUpdate &&
			entry.FieldsV1 != nil && json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) == nil {
			dropOwned(change, fields)
		}
	}
	if wanted.GetKind() == "Ingress" && onlyChallengesAdded(wanted, live) {
		unstructured.RemoveNestedField(change, "spec", "rules")
	}
	dropEmpty(change)
}

// dropOwned drops the fields of the patch that are in a set of managed fields. Elements of lists are kept: no controller that
// is left alone owns one.
func dropOwned(change, fields map[string]any) {
	for key, value := range change {
		owned, ok := fields["f:"+key].(map[string]any)
		if !ok {
			continue
		}
		if inner, isMap := value.(map[string]any); isMap {
			dropOwned(inner, owned)
		} else if len(owned) == 0 {
			delete(change, key)
		}
	}
}

// dropEmpty drops maps without content.
func dropEmpty(change map[string]any) {
	for key, value := range change {
		inner, isMap := value.(map[string]any)
		if !isMap {
			continue
		}
		if dropEmpty(inner); len(inner) == 0 {
			delete(change, key)
		}
	}
}

// onlyChallengesAdded reports whether the Ingress has the rules of the manifest and nothing else but challenges.
func onlyChallengesAdded(wanted, live *unstructured.Unstructured) bool {
	want, _, _ := unstructured.NestedSlice(wanted.Object, "spec", "rules")
	now, _, _ := unstructured.NestedSlice(live.Object, "spec", "rules")
	for _, rule := range now {
		r, ok := rule.(map[string]any)
		if !ok {
			return false
		}
		paths, _, _ := unstructured.NestedSlice(r, "http", "paths")
		paths = slices.DeleteFunc(paths, isChallenge)
		_ = unstructured.SetNestedSlice(r, paths, "http", "paths")
	}
	return reflect.DeepEqual(want, now)
}

func isChallenge(path any) bool {
	p, _ := path.(map[string]any)
	at, _ := p["path"].(string)
	return strings.HasPrefix(at, acmeChallenge)
}

// pathsOf names the fields that a patch sets, sorted.
func pathsOf(change map[string]any, prefix string) []string {
	var paths []string
	for key, value := range change {
		if inner, isMap := value.(map[string]any); isMap && len(inner) > 0 {
			paths = append(paths, pathsOf(inner, prefix+key+".")...)
		} else if !strings.HasPrefix(key, "$") {
			paths = append(paths, prefix+key)
		}
	}
	slices.Sort(paths)
	return paths
}
