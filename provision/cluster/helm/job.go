package helm

import (
	"context"
	"slices"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"orchestrator/provision"
)

// Job renders the pod of a chart's template <job>.yaml, in the edition that the store has. The pod is no part of the release. CodeConflict says that the
// edition has no such job: it is the state of this store, and no mistake of the installation that others would meet. The pod's annotation orchestrator/edition
// is the edition.
func (c *Client) Job(ctx context.Context, s provision.Store, want Plan, job string) (*corev1.Pod, error) {
	op, err := c.operation(ctx, s.Namespace)
	if err != nil {
		return nil, err
	}
	defer op.cancel()
	last, err := op.last(s.ReleaseName())
	if err != nil {
		return nil, err
	}
	plan, err := op.pin(s, want, last)
	if err != nil {
		return nil, err
	}
	return plan.job(s, job, op.cfg.Capabilities)
}

// RenderJob returns what [Client.Job] would, without a cluster, for a store that is not installed yet: for tests of charts and engines.
func RenderJob(charts Charts, s provision.Store, want provision.Release, job string) (*corev1.Pod, error) {
	plan, err := (&chartStore{Charts: charts}).plan(want)
	if err != nil {
		return nil, err
	}
	return plan.job(s, job, chartutil.DefaultCapabilities.Copy())
}

func (p Plan) job(s provision.Store, job string, caps *chartutil.Capabilities) (*corev1.Pod, error) {
	template := "templates/" + job + ".yaml"
	if !slices.ContainsFunc(p.files, func(f *loader.BufferedFile) bool { return f.Name == template }) {
		return nil, provision.Errorf(provision.CodeConflict,
			"the chart %s that store %s was made with knows no job %q; bring the store up to date first: orchestrator retry %s --force upgrade", p.chart, s.StoreID, job, s.StoreID)
	}
	p.own = chartutil.MergeTables(map[string]any{"common": map[string]any{"job": job}}, copyValues(p.own))
	p, err := p.merged()
	if err != nil {
		return nil, err
	}
	rendered, err := p.render(s, 1, caps)
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(rendered[p.chart+"/"+template]), pod); err != nil {
		return nil, provision.Wrap(provision.CodeInvalid, err, "%s of chart %s does not make a pod", template, p.chart)
	}
	pod.Namespace = s.Namespace
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, labelEdition, p.edition)
	return pod, nil
}
