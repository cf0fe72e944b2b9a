package limit

import (
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"orchestrator/charts"
	"orchestrator/cmd/testkit/bench/stores"
	"orchestrator/provision"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/engine"
)

// placeholder is the id of the store that the chart is rendered for. In what comes out it is replaced by the id of each store. It says so in no
// other text.
const placeholder = "bench-store-placeholder"

// object is one of the chart's, as text with the placeholder.
type object struct {
	text     string
	kind     schema.GroupVersionKind
	resource schema.GroupVersionResource
	workload bool // it is ready at some time, and not at once
}

// of is the object of a store.
func (o object) of(id string) (*unstructured.Unstructured, error) {
	made := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(o.text, placeholder, id)), &made.Object); err != nil {
		return nil, fmt.Errorf("store %s: %s is not YAML: %w", id, o.kind.Kind, err)
	}
	return made, nil
}

// render returns what a worker would install for a store in a development environment, in Helm's order, without the tests.
func render(api discovery.DiscoveryInterface) ([]object, error) {
	objects, err := manifests()
	if err != nil {
		return nil, err
	}
	groups, err := restmapper.GetAPIGroupResources(api)
	if err != nil {
		return nil, fmt.Errorf("ask the API server for its resources: %w", err)
	}
	return objects, resolve(objects, restmapper.NewDiscoveryRESTMapper(groups))
}

func manifests() ([]object, error) {
	s := provision.Store{Generation: 1, Request: stores.Request(placeholder)}
	release, err := engine.All()[s.Engine].Release(s)
	if err != nil {
		return nil, err
	}
	files, err := helm.Render(helm.Charts{FS: charts.FS, Env: "development"}, s, release)
	if err != nil {
		return nil, err
	}
	_, sorted, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	objects := make([]object, len(sorted))
	for i, m := range sorted {
		kind := schema.FromAPIVersionAndKind(m.Head.Version, m.Head.Kind)
		objects[i] = object{text: m.Content, kind: kind, workload: kind.Kind == "Deployment" || kind.Kind == "StatefulSet"}
	}
	return objects, nil
}

// resolve sets where objects of these kinds are posted to.
func resolve(objects []object, mapper meta.RESTMapper) error {
	for i, o := range objects {
		mapping, err := mapper.RESTMapping(o.kind.GroupKind(), o.kind.Version)
		if err != nil {
			return fmt.Errorf("the API server does not know %s: %w", o.kind, err)
		}
		objects[i].resource = mapping.Resource
	}
	return nil
}
