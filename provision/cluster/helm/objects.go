package helm

import (
	"context"
	"errors"
	"io"
	"strings"

	helmkube "helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/util/retry"

	"golang.org/x/sync/errgroup"

	"orchestrator/provision/cluster/kube"
)

// objects is Helm's client of a cluster, for one operation.
type objects struct {
	*helmkube.Client

	unchecked bool // an install is under way that does not look whether its objects exist
	built     bool // and has rendered them
	created   bool // all objects of the release were made by the operation, and so are what its manifest says
}

// Build implements [helmkube.Interface].
func (o *objects) Build(manifest io.Reader, validate bool) (helmkube.ResourceList, error) {
	o.built = true
	return o.Client.Build(manifest, validate)
}

// absent reports whether what is read need not be asked for: Helm looks at each object between its rendering, which may look for others, and the first write.
func (o *objects) absent(path string) bool {
	return o.unchecked && o.built && strings.Contains(path, "/namespaces/"+o.Namespace+"/")
}

// IsReachable implements [helmkube.Interface]. The next request tells.
func (o *objects) IsReachable() error { return nil }

// Create implements [helmkube.Interface]: in the order of the list, those of one kind at the same time. Where one fails the others are made all the
// same, as Helm does. The answers of the API server are not read.
func (o *objects) Create(list helmkube.ResourceList) (*helmkube.Result, error) {
	var errs []error
	for begin, end := 0, 0; begin < len(list); begin = end {
		for end < len(list) && kindOf(list[end]) == kindOf(list[begin]) {
			end++
		}
		errs = append(errs, createAll(list[begin:end]))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o.created = true
	return &helmkube.Result{Created: list}, nil
}

func kindOf(object *resource.Info) string { return object.Mapping.GroupVersionKind.Kind }

func createAll(list helmkube.ResourceList) error {
	errs := make([]error, len(list))
	var group errgroup.Group
	for i, object := range list {
		group.Go(func() error {
			errs[i] = create(object)
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(errs...)
}

// create repeats what a quota refuses because it was changed at the same time.
func create(object *resource.Info) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		return object.Client.Post().
			NamespaceIfScoped(object.Namespace, object.Mapping.Scope.Name() == meta.RESTScopeNameNamespace).
			Resource(object.Mapping.Resource.Resource).
			VersionedParams(&metav1.CreateOptions{FieldManager: kube.Manager}, metav1.ParameterCodec).
			SetHeader("Accept", acceptMetadata).
			Body(object.Object).Do(context.Background()).Error()
	})
}
