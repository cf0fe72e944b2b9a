package helm

import (
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// dropUnknownKinds takes the objects out of a release's manifest whose kinds the cluster does not know any more, and reports
// whether there were any. The objects went with their CustomResourceDefinitions; Helm neither uninstalls nor upgrades a
// release that has one.
func (o *operation) dropUnknownKinds(last *release.Release) bool {
	mapper, err := o.cfg.RESTClientGetter.ToRESTMapper()
	if err != nil {
		return false
	}
	documents := releaseutil.SplitManifests(last.Manifest)
	var kept []string
	for i := range len(documents) {
		if document := documents[fmt.Sprintf("manifest-%d", i)]; known(mapper, document) {
			kept = append(kept, document)
		}
	}
	if len(kept) == len(documents) {
		return false
	}
	last.Manifest = strings.Join(kept, "\n---\n")
	return true
}

func known(mapper meta.RESTMapper, document string) bool {
	var head releaseutil.SimpleHead
	if yaml.Unmarshal([]byte(document), &head) != nil {
		return true
	}
	kind := schema.FromAPIVersionAndKind(head.Version, head.Kind)
	_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	return !meta.IsNoMatchError(err)
}
