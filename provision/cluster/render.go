package cluster

import (
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"

	"orchestrator/provision"
)

// Render returns what [Releases.Apply] would send to a cluster, keyed by template, without a cluster: for tests of charts
// and engines. It uses only Charts, Env and Values of cfg.
func Render(cfg Config, s provision.Store, want provision.Release) (map[string]string, error) {
	charts := &chartStore{fsys: cfg.Charts, env: cfg.Env, values: cfg.Values}
	plan, err := charts.plan(want)
	if err != nil {
		return nil, err
	}
	rendered, err := plan.render(s, 1, chartutil.DefaultCapabilities.Copy())
	if err != nil {
		return nil, err
	}
	for name, text := range rendered {
		if strings.TrimSpace(text) == "" {
			delete(rendered, name)
		}
	}
	return rendered, nil
}
