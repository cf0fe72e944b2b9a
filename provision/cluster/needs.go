package cluster

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Needs are what the stores of an installation will ask of a cluster, by the objects of their charts.
type Needs struct {
	StorageClasses []string // "" is the default one
	IngressClasses []string // the same
	Gateway        bool     // HTTPRoutes
}

// Add adds what the objects of a rendered template need.
func (n *Needs) Add(manifest string) error {
	for document := range strings.SplitSeq(manifest, "\n---") {
		var o unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			return fmt.Errorf("an object does not parse: %w", err)
		}
		switch o.GetKind() {
		case "PersistentVolumeClaim":
			n.StorageClasses = withClass(n.StorageClasses, o, "storageClassName")
		case "Ingress":
			n.IngressClasses = withClass(n.IngressClasses, o, "ingressClassName")
		case "HTTPRoute":
			n.Gateway = true
		}
	}
	return nil
}

func withClass(classes []string, o unstructured.Unstructured, field string) []string {
	class, _, _ := unstructured.NestedString(o.Object, "spec", field)
	if slices.Contains(classes, class) {
		return classes
	}
	return append(classes, class)
}
