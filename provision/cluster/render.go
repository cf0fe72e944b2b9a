package cluster

import (
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"

	"orchestrator/provision"
)

// Render returns what [Releases.Apply] would send to a cluster, by template, without asking one: for tests of charts and
// engines, and for people who want to read it. Only Charts, Env and Values of cfg are used.
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
