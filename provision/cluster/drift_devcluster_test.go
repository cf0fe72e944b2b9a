//go:build devcluster

package cluster

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

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
