//go:build devcluster

package cluster

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/release"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// drifts are changes of one object of a store by hand, or by a controller that is to be left alone.
var drifts = map[string]struct {
	object string // below the namespace's address, without the store's name
	kind   types.PatchType
	patch  string
	stays  bool
	by     string // field manager; "" is the tests' own
}{
	"deployment scaled to nothing":    {object: "deployments/", patch: `{"spec":{"replicas":0}}`},
	"database scaled to nothing":      {object: "statefulsets/-db", patch: `{"spec":{"replicas":0}}`},
	"image":                           {object: "deployments/", patch: `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"by-hand:1"}]}}}}`, kind: types.StrategicMergePatchType},
	"requests removed":                {object: "deployments/", patch: `{"spec":{"template":{"spec":{"containers":[{"name":"web","resources":null}]}}}}`, kind: types.StrategicMergePatchType},
	"label removed":                   {object: "deployments/", patch: `{"metadata":{"labels":{"app.kubernetes.io/instance":null}}}`},
	"configuration":                   {object: "configmaps/", patch: `{"data":{"message":"by hand"}}`},
	"service of other pods":           {object: "services/", patch: `{"spec":{"selector":{"app":"other"}}}`},
	"service of fewer pods":           {object: "services/", patch: `{"spec":{"selector":{"by":"hand"}}}`},
	"service at an address":           {object: "services/", patch: `{"spec":{"externalIPs":["192.0.2.1"]}}`},
	"port of another number":          {object: "services/", patch: `{"spec":{"ports":[{"name":"http","port":81,"targetPort":"web"}]}}`},
	"an annotation of another":        {object: "deployments/", patch: `{"metadata":{"annotations":{"example.com/by":"hand"}}}`, stays: true},
	"replicas of an autoscaler":       {object: "deployments//scale", patch: `{"spec":{"replicas":2}}`, stays: true, by: "kube-controller-manager"},
	"replicas, scaled by hand":        {object: "deployments//scale", patch: `{"spec":{"replicas":2}}`},
	"object that is to be left alone": {object: "deployments/", patch: `{"metadata":{"annotations":{"orchestrator/ignore-drift":"true"},"labels":{"app.kubernetes.io/instance":"by-hand"}}}`, stays: true},
}

func TestApplyRestoresWhatWasChangedByHand(t *testing.T) {
	t.Parallel()
	for name, drift := range drifts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.must(provision.OpProvision, false)
			path := l.address(drift.object)
			before, revision := l.object(path), lastRecord(t, l.c, l.s).Version
			kind := drift.kind
			if kind == "" {
				kind = types.MergePatchType
			}
			request := l.c.api.Clientset.Discovery().RESTClient().Patch(kind).AbsPath(path).Body([]byte(drift.patch))
			if drift.by != "" {
				request.Param("fieldManager", drift.by)
			}
			l.note(request.Do(t.Context()).Error())
			changed := l.object(path)
			if reflect.DeepEqual(before, changed) {
				t.Fatal("the patch changes nothing")
			}
			l.must(provision.OpProvision, false)
			want := before
			if drift.stays {
				want = changed
			}
			if got := l.object(path); !reflect.DeepEqual(got, want) {
				t.Errorf("%v\nwant\n%v", got, want)
			}
			if now := lastRecord(t, l.c, l.s).Version; now != revision {
				t.Errorf("revision %d became %d", revision, now)
			}
		})
	}
}

// TestAnAuditFindsWhatWasChanged: it says so without a change, and with repair mends it. What is to stay is no finding.
func TestAnAuditFindsWhatWasChanged(t *testing.T) {
	t.Parallel()
	for name, drift := range drifts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.must(provision.OpProvision, false)
			audit := func(repair bool) provision.Finding {
				t.Helper()
				found, err := l.r.Audit(t.Context(), l.s, repair)
				l.note(err)
				return found
			}
			if found := audit(true); len(found.Drift)+len(found.Repaired) != 0 || found.Edition == "" || found.Outdated {
				t.Fatalf("a fresh store: %+v", found)
			}
			path := l.address(drift.object)
			before := l.object(path)
			kind := drift.kind
			if kind == "" {
				kind = types.MergePatchType
			}
			request := l.c.api.Clientset.Discovery().RESTClient().Patch(kind).AbsPath(path).Body([]byte(drift.patch))
			request.Param("fieldManager", cmp.Or(drift.by, "kubectl-edit"))
			l.note(request.Do(t.Context()).Error())
			changed := l.object(path)
			found := audit(false)
			if drift.stays {
				if len(found.Drift) != 0 {
					t.Errorf("what is to stay is found: %+v", found.Drift)
				}
				return
			}
			if len(found.Drift) != 1 || len(found.Drift[0].Fields) == 0 || len(found.Repaired) != 0 {
				t.Fatalf("found %+v", found)
			}
			// What was removed has no manager any more.
			if d := found.Drift[0]; d.Manager != "" && (d.Manager != "kubectl-edit" || d.At.IsZero()) || d.Manager == "" && name == "image" {
				t.Errorf("changed by %q at %s", d.Manager, d.At)
			}
			if got := l.object(path); !reflect.DeepEqual(got, changed) {
				t.Errorf("the look has changed the object:\n%v", got)
			}
			if found = audit(true); len(found.Drift) != 0 || len(found.Repaired) != 1 {
				t.Errorf("the repair: %+v", found)
			}
			if got := l.object(path); !reflect.DeepEqual(got, before) {
				t.Errorf("mended: %v\nwant\n%v", got, before)
			}
			if found = audit(false); len(found.Drift) != 0 {
				t.Errorf("after the repair: %+v", found.Drift)
			}
		})
	}
}

// TestAnAuditFindsWhatIsMissing: an object, and the release itself.
func TestAnAuditFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.must(provision.OpProvision, false)
	l.note(l.c.api.Clientset.AppsV1().Deployments(l.s.Namespace).Delete(t.Context(), l.s.Name, metav1.DeleteOptions{}))
	for _, repair := range []bool{false, true} {
		found, err := l.r.Audit(t.Context(), l.s, repair)
		drift := slices.Concat(found.Drift, found.Repaired)
		if err != nil || len(drift) != 1 || !drift[0].Missing || drift[0].Object != "deployment "+l.s.Name || repair != (len(found.Repaired) == 1) {
			t.Fatalf("repair %t: %+v, %v", repair, found, err)
		}
	}
	if _, err := l.c.api.Clientset.AppsV1().Deployments(l.s.Namespace).Get(t.Context(), l.s.Name, metav1.GetOptions{}); err != nil {
		t.Error("the repair does not make it again: ", err)
	}
	leave(t, l.c, l.s, release.StatusFailed)
	found, err := l.r.Audit(t.Context(), l.s, false)
	if err != nil || len(found.Drift) != 1 || found.Drift[0].Fields[0] != "status" {
		t.Errorf("a failed release: %+v, %v", found, err)
	}
	l.s.Generation-- // an older request must see nothing
	if _, err := l.r.Audit(t.Context(), l.s, true); provision.CodeOf(err) != provision.CodeSuperseded {
		t.Errorf("an older generation: %v", err)
	}
}

// address is where the API server has an object of the store.
func (l *life) address(object string) string {
	plural, rest, _ := strings.Cut(object, "/")
	api := "/apis/apps/v1"
	if plural == "services" || plural == "configmaps" {
		api = "/api/v1"
	}
	return api + "/namespaces/" + l.s.Namespace + "/" + plural + "/" + l.s.Name + rest
}

// object is what is stored at the address, without what the cluster keeps about it.
func (l *life) object(path string) map[string]any {
	l.Helper()
	data, err := l.c.api.Clientset.Discovery().RESTClient().Get().SetHeader("Accept", "application/json").AbsPath(strings.TrimSuffix(path, "/scale")).DoRaw(l.Context())
	l.note(err)
	u := &unstructured.Unstructured{}
	l.note(json.Unmarshal(data, &u.Object))
	u.SetManagedFields(nil)
	u.SetResourceVersion("")
	u.SetGeneration(0)
	delete(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "annotations", "deployment.kubernetes.io/revision")
	return u.Object
}
