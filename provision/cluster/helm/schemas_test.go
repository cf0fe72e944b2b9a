package helm

import (
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// TestSchemasAcceptWhatHelmAccepts compares the answers for values that are right and for values with one mistake each, of the chart and of its dependency.
func TestSchemasAcceptWhatHelmAccepts(t *testing.T) {
	known := &schemas{}
	accepted := 0
	for name, one := range engine.All() {
		s := testStore(1)
		s.Engine, s.Settings = name, provision.Settings{Title: "Shop", Currency: "EUR", Country: "DE"}
		want, err := one.Release(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []map[string]any{
			nil, {"unknown": 1}, {"resources": 7}, {"common": map[string]any{"unknown": true}}, {"common": "text"}, {"common": nil},
			{"common": map[string]any{"suspended": "perhaps"}},
		} {
			plan, err := (&chartStore{Charts: Charts{FS: charts.FS, Env: "development"}}).plan(provision.Release{
				Chart: want.Chart, Values: chartutil.MergeTables(copyValues(wrong), copyValues(want.Values))})
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := plan.load()
			if err != nil {
				t.Fatal(err)
			}
			_, refusal := plan.render(s, 1, chartutil.DefaultCapabilities.Copy())
			if got := known.accept(loaded, plan.values); got != (refusal == nil) {
				t.Errorf("%s with %v: accepted: %v, and Helm says %v", name, wrong, got, refusal)
			} else if got {
				accepted++
			}
		}
	}
	if accepted < len(engine.All()) {
		t.Errorf("only %d were accepted", accepted)
	}
}

func TestSchemasLeaveToHelmWhatTheyDoNotKnow(t *testing.T) {
	known := &schemas{}
	for name, one := range map[string]*chart.Chart{
		"a schema that is none":        {Metadata: &chart.Metadata{Name: "a"}, Schema: []byte("{")},
		"one that refers to another":   {Metadata: &chart.Metadata{Name: "a"}, Schema: []byte(`{"$ref":"https://example.com/other.json"}`)},
		"values of a dependency":       {Metadata: &chart.Metadata{Name: "a", Dependencies: []*chart.Dependency{{Name: "b", ImportValues: []any{"c"}}}}},
		"a dependency with conditions": {Metadata: &chart.Metadata{Name: "a", Dependencies: []*chart.Dependency{{Name: "b", Condition: "b.on"}}}},
	} {
		if known.accept(one, map[string]any{}) {
			t.Errorf("%s: accepted", name)
		}
	}
	if !known.accept(&chart.Chart{Metadata: &chart.Metadata{Name: "a"}}, nil) {
		t.Error("a chart without a schema is not accepted")
	}
}
