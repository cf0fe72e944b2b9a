package helm

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"sigs.k8s.io/yaml"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// A store keeps the edition that it was installed with until it is upgraded on purpose: a new chart, or another image in the installation's values,
// does not reach it by accident, because its title was changed. Each release record holds all that is needed for that: the chart, and as files of
// it what Helm would leave out, the libraries that it depends on and the values that all stores share.

const (
	sharedValuesFile = "orchestrator-values.json"
	librariesFolder  = "charts/"
)

// keepEdition adds to a loaded chart what a record of it would lack.
func (p Plan) keepEdition(loaded *chart.Chart) error {
	text, err := json.Marshal(p.shared)
	if err != nil {
		return provision.Wrap(provision.CodeInvalid, err, "the values of chart %s cannot be encoded as JSON", p.chart)
	}
	loaded.Files = append(loaded.Files, &chart.File{Name: sharedValuesFile, Data: text})
	for _, f := range p.files {
		if strings.HasPrefix(f.Name, librariesFolder) {
			loaded.Files = append(loaded.Files, &chart.File{Name: f.Name, Data: f.Data})
		}
	}
	return nil
}

// pinned is the plan in the edition of a record. ok is false where that is the plan's own edition, or the record does not hold one: it was
// written by a version before this.
func (p Plan) pinned(kept *release.Release) (pin Plan, ok bool, err error) {
	edition := kept.Labels[labelEdition]
	if edition == "" || edition == p.edition || kept.Chart == nil {
		return Plan{}, false, nil
	}
	pin = Plan{chart: p.chart, own: p.own, edition: edition}
	if pin.files, pin.shared, err = editionFiles(kept.Chart); err != nil {
		return Plan{}, false, err
	}
	pin, err = pin.merged()
	return pin, err == nil, err
}

// editionFiles is the chart of a record as files that can be loaded, and the values that it shares with other stores.
func editionFiles(kept *chart.Chart) (files []*loader.BufferedFile, shared map[string]any, err error) {
	metadata, err := yaml.Marshal(kept.Metadata)
	if err != nil {
		return nil, nil, err
	}
	values, err := yaml.Marshal(kept.Values)
	if err != nil {
		return nil, nil, err
	}
	files = []*loader.BufferedFile{{Name: "Chart.yaml", Data: metadata}, {Name: "values.yaml", Data: values}}
	if len(kept.Schema) > 0 {
		files = append(files, &loader.BufferedFile{Name: "values.schema.json", Data: kept.Schema})
	}
	for _, f := range append(kept.Templates, kept.Files...) {
		if f.Name == sharedValuesFile {
			err = json.Unmarshal(f.Data, &shared)
			continue
		}
		files = append(files, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	return files, shared, err
}

// earlier returns the plan in an edition that one of the release's records holds.
func (o *operation) earlier(s provision.Store, want Plan, edition string) (Plan, error) {
	history, err := o.cfg.Releases.History(s.ReleaseName())
	if err != nil {
		return Plan{}, kube.WrapError(o.apiErrors.cause(err), "read the records of release %s", s.ReleaseName())
	}
	for _, kept := range slices.Backward(history) {
		if kept.Labels[labelEdition] != edition {
			continue
		}
		if pin, ok, err := want.pinned(kept); ok && err == nil {
			return pin, nil
		}
	}
	return Plan{}, provision.Errorf(provision.CodeInvalid, "no record of release %s holds edition %s any more", s.ReleaseName(), edition)
}

// annotationData of a chart is the version of the data that its shops write: a higher one means that a shop of a lower one cannot read it.
const annotationData = "orchestrator/data"

func dataVersion(metadata *chart.Metadata) int {
	if metadata == nil {
		return 0
	}
	n, _ := strconv.Atoi(metadata.Annotations[annotationData])
	return n
}

// Editions reads which edition a store has, and which one a new store would get.
func (c *Client) Editions(ctx context.Context, s provision.Store, want Plan) (provision.Editions, error) {
	loaded, err := want.load()
	if err != nil {
		return provision.Editions{}, err
	}
	op, err := c.operation(ctx, s.Namespace)
	if err != nil {
		return provision.Editions{}, err
	}
	defer op.cancel()
	last, err := op.last(s.ReleaseName())
	if err != nil {
		return provision.Editions{}, err
	}
	found := provision.Editions{Current: want.edition, CurrentData: dataVersion(loaded.Metadata)}
	kept, err := op.deployed(s.ReleaseName(), last)
	if err == nil && kept != nil && kept.Chart != nil {
		found.Kept, found.KeptData = kept.Labels[labelEdition], dataVersion(kept.Chart.Metadata)
	}
	return found, err
}

// pin returns the plan in the edition that the store has, unless it is to be upgraded. Where the chart of that edition does not take the store's
// values, the plan stays: a newer request may need what the old chart cannot do.
func (o *operation) pin(s provision.Store, want Plan, last *release.Release) (Plan, error) {
	if s.Forced(provision.ForceUpgrade) {
		return want, nil
	}
	kept, err := o.deployed(s.ReleaseName(), last)
	if err != nil || kept == nil {
		return want, err
	}
	if pin, ok := want.pinnedFor(s, kept, o.cfg.Capabilities); ok {
		return pin, nil
	}
	return want, nil
}

// pinnedFor returns the plan in the edition of a record, if that can make what is asked for. A record that cannot be read as a chart is as one that does not
// hold it.
func (p Plan) pinnedFor(s provision.Store, kept *release.Release, caps *chartutil.Capabilities) (Plan, bool) {
	pin, ok, err := p.pinned(kept)
	if err == nil && ok {
		_, err = pin.render(s, kept.Version+1, caps)
	}
	return pin, err == nil && ok
}
