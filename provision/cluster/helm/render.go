package helm

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"

	"orchestrator/provision"
)

// Render returns what [Client.Apply] would send to a cluster, keyed by template, without a cluster: for tests of charts and
// engines.
func Render(charts Charts, s provision.Store, want provision.Release) (map[string]string, error) {
	plan, err := (&chartStore{Charts: charts}).plan(want)
	if err != nil {
		return nil, err
	}
	return plan.renderAlone(s)
}

// RenderPinned returns what [Client.Apply] would send for a store that was installed from the charts kept, with the first release, and is now to be
// as the second says, while new stores are made from other charts.
func RenderPinned(kept, now Charts, s provision.Store, first, second provision.Release) (map[string]string, error) {
	was, err := (&chartStore{Charts: kept}).plan(first)
	if err != nil {
		return nil, err
	}
	want, err := (&chartStore{Charts: now}).plan(second)
	if err != nil {
		return nil, err
	}
	loaded, err := was.load()
	if err != nil {
		return nil, err
	}
	record, err := json.Marshal(&release.Release{Chart: loaded}) // as Helm keeps it
	if err != nil {
		return nil, err
	}
	last := &release.Release{}
	if err := json.Unmarshal(record, last); err != nil {
		return nil, err
	}
	last.Labels = was.labels(1)
	pin, ok, err := want.pinned(last)
	if err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("the record of chart %s does not hold another edition", first.Chart))
	}
	return pin.renderAlone(s)
}

// renderAlone renders for no cluster, without templates that render nothing.
func (p Plan) renderAlone(s provision.Store) (map[string]string, error) {
	rendered, err := p.render(s, 1, chartutil.DefaultCapabilities.Copy())
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
