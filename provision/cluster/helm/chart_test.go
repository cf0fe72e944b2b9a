package helm

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestRenderMergesValuesInOrder(t *testing.T) {
	s := testStore(1)
	cases := []struct {
		name         string
		env          string
		installation map[string]any
		release      map[string]any
		want         string
	}{
		{"the chart's own", "", nil, nil, "from the chart"},
		{"an environment without a file", "nowhere", nil, nil, "from the chart"},
		{"the environment's", "development", nil, nil, "from the environment"},
		{"the installation's", "development", map[string]any{"message": "from the installation"}, nil, "from the installation"},
		{"the release's", "development", map[string]any{"message": "from the installation"}, map[string]any{"message": "from the release"}, "from the release"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rendered, err := Render(Charts{FS: tinyCharts(), Env: c.env, Values: c.installation}, s, tinyRelease(s, c.release))
			if err != nil {
				t.Fatal(err)
			}
			if all := rendered["tiny/templates/all.yaml"]; !strings.Contains(all, `message: "`+c.want+`"`) {
				t.Errorf("the rendered message is not %q:\n%s", c.want, all)
			}
		})
	}
}

func TestPlanDoesNotChangeTheCallersValues(t *testing.T) {
	installation := map[string]any{"nested": map[string]any{"b": 2, "list": []any{map[string]any{"x": 1}}}}
	release := provision.Release{Chart: "tiny", Values: map[string]any{"nested": map[string]any{"a": 1}}}
	before := asJSON(t, installation) + asJSON(t, release.Values)
	charts := &chartStore{Charts: Charts{FS: tinyCharts(), Values: installation}}
	plan, err := charts.plan(release)
	if err != nil {
		t.Fatal(err)
	}
	plan.values["nested"].(map[string]any)["list"].([]any)[0].(map[string]any)["x"] = 7
	if after := asJSON(t, installation) + asJSON(t, release.Values); after != before {
		t.Errorf("values were %s and are now %s", before, after)
	}
}

func TestPlanKeepsNullsThroughEveryLayer(t *testing.T) {
	charts := &chartStore{Charts: Charts{FS: tinyCharts(), Env: "development", Values: map[string]any{"message": nil}}}
	plan, err := charts.plan(provision.Release{Chart: "tiny", Values: map[string]any{"storeLabel": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	if value, there := plan.values["message"]; !there || value != nil {
		t.Errorf("message is %v (there: %t), want a null that Helm sees", value, there)
	}
}

func TestDigestOfChartFilesAndValues(t *testing.T) {
	files := fstest.MapFS{
		"store/a/Chart.yaml":           {Data: []byte("apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies: [{name: b, version: 1.0.0, repository: file://../b}]")},
		"store/a/templates/_hidden.tp": {Data: []byte("x")},
		"store/b/Chart.yaml":           {Data: []byte("apiVersion: v2\nname: b\nversion: 1.0.0")},
	}
	digest := func(values map[string]any) string {
		t.Helper()
		plan, err := (&chartStore{Charts: Charts{FS: files}}).plan(provision.Release{Chart: "a", Values: values})
		if err != nil {
			t.Fatal(err)
		}
		return plan.digest
	}
	base := digest(map[string]any{"n": 1, "m": map[string]any{"x": "y"}})
	if same := digest(map[string]any{"m": map[string]any{"x": "y"}, "n": float64(1)}); same != base {
		t.Error("equal values in another order and of another number type have another digest")
	}
	if other := digest(map[string]any{"n": 2, "m": map[string]any{"x": "y"}}); other == base {
		t.Error("another value has the same digest")
	}
	for _, name := range []string{"store/a/templates/_hidden.tp", "store/b/Chart.yaml"} {
		was := files[name].Data
		files[name] = &fstest.MapFile{Data: append(was, '\n')}
		if other := digest(map[string]any{"n": 1, "m": map[string]any{"x": "y"}}); other == base {
			t.Errorf("a change of %s does not change the digest", name)
		}
		files[name] = &fstest.MapFile{Data: was}
	}
	for _, name := range []string{"store/a/README.md", "store/b/README.md", "store/a/values-production.yaml"} {
		files[name] = &fstest.MapFile{Data: []byte("n: 7\n")}
		if other := digest(map[string]any{"n": 1, "m": map[string]any{"x": "y"}}); other != base {
			t.Errorf("%s, which says nothing about this release, changes its digest", name)
		}
	}
}

func TestReadChartIncludesSiblingDependencies(t *testing.T) {
	files, err := readChart(tinyCharts(), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	want := []string{"Chart.yaml", "templates/_helpers.tpl", "templates/all.yaml", "templates/backup.yaml", "templates/restore.yaml", "templates/rotate.yaml", "values-development.yaml", "values.schema.json",
		"values.yaml", "charts/shared/Chart.yaml", "charts/shared/templates/_labels.tpl"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestRenderErrorsAreInvalid(t *testing.T) {
	s := testStore(1)
	cases := []struct {
		name    string
		release provision.Release
		says    string
	}{
		{"no such chart", provision.Release{Chart: "nowhere"}, `chart "nowhere" is not part of this build`},
		{"the schema", tinyRelease(s, map[string]any{"replicas": "two"}), "replicas"},
		{"an unknown value", tinyRelease(s, map[string]any{"colour": "red"}), "colour"},
		{"a template's own refusal", tinyRelease(s, map[string]any{"refuse": "the moon is full"}), "the moon is full"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Render(Charts{FS: tinyCharts()}, s, c.release)
			wantCode(t, err, provision.CodeInvalid)
			if !strings.Contains(provision.Public(err), c.says) {
				t.Errorf("%q does not say %q", provision.Public(err), c.says)
			}
		})
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
