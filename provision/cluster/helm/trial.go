package helm

import (
	"context"
	"strings"

	"helm.sh/helm/v3/pkg/releaseutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/resource"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// Try has the API server take every object of a release as it would for a store, admission included, and keep none. It returns how many it took, and
// what it refused.
func (c *Client) Try(ctx context.Context, s provision.Store, want Plan) (taken int, refused []error, err error) {
	err = c.run(ctx, s, "trial", func(op *operation) error {
		rendered, err := want.render(s, 1, op.cfg.Capabilities)
		if err != nil {
			return err
		}
		_, manifests, err := releaseutil.SortManifests(rendered, op.cfg.Capabilities.APIVersions, releaseutil.InstallOrder)
		if err != nil {
			return err
		}
		for _, manifest := range manifests {
			objects, err := op.cfg.KubeClient.Build(strings.NewReader(manifest.Content), false)
			if err != nil {
				refused = append(refused, op.applyError(err, s, want))
				continue
			}
			for _, object := range objects {
				_, err := resource.NewHelper(object.Client, object.Mapping).DryRun(true).Create(object.Namespace, false, object.Object)
				if err != nil && !apierrors.IsAlreadyExists(err) {
					kind := strings.ToLower(object.Mapping.GroupVersionKind.Kind)
					refused = append(refused, kube.WrapError(op.apiErrors.cause(err), "create %s %s", kind, object.Name))
					continue
				}
				taken++
			}
		}
		return nil
	})
	return taken, refused, err
}
