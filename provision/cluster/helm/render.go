package helm

import (
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"

	"orchestrator/provision"
)

// Render returns what [Client.Apply] would send to a cluster, keyed by template, without a cluster: for tests of charts and
// engines.
func Render(charts Charts, s provision.Store, want provision.Release) (map[string]string, error) {
	plan, err := (&chartStore{Charts: charts}).plan(want)
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
