package helm

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	helmtime "helm.sh/helm/v3/pkg/time"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

func tinyPlan(t *testing.T, values map[string]any) Plan {
	t.Helper()
	plan, err := (&chartStore{Charts: Charts{FS: tinyCharts()}}).plan(tinyRelease(testStore(1), values))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// installed is the release that Helm makes of a plan, with the chart that it holds.
func installed(t *testing.T, s provision.Store, plan Plan) *release.Release {
	t.Helper()
	loaded, err := plan.load()
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.ClientOnly, install.DryRun, install.DisableHooks = true, true, true
	install.ReleaseName, install.Namespace, install.Labels = s.ReleaseName(), s.Namespace, plan.labels(1)
	made, err := install.Run(loaded, copyValues(plan.values))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// readBack is the release that Helm reads of what the encoder has written.
func readBack(t *testing.T, rls *release.Release, data []byte) *release.Release {
	t.Helper()
	labels := recordLabels(rls, "createdAt")
	kube := fake.NewClientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "record", Namespace: "ns", Labels: labels}, Data: map[string][]byte{"release": data},
	})
	read, err := driver.NewSecrets(kube.CoreV1().Secrets("ns")).Get("record")
	if err != nil {
		t.Fatalf("Helm cannot read the record: %v", err)
	}
	return read
}

func TestHelmReadsWhatTheEncoderWrites(t *testing.T) {
	parts := &chartParts{}
	for _, known := range []bool{false, true} { // a chart of a plan, and one that another version or Helm itself has recorded
		for i, title := range []string{"Eins", "Zwei \u2028 <&>", "Drei"} {
			s := testStore(1)
			plan := tinyPlan(t, map[string]any{"message": title})
			rls := installed(t, s, plan)
			e := &encoder{charts: parts}
			if known {
				e.use(rls.Chart, plan.edition)
			}
			for _, status := range []release.Status{release.StatusPendingInstall, release.StatusDeployed} {
				rls.SetStatus(status, "step "+string(status))
				data, err := e.encode(rls)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(whole(t, rls), whole(t, readBack(t, rls, data))); diff != "" {
					t.Errorf("store %d, known chart %v, %s (-written +read):\n%s", i, known, status, diff)
				}
			}
		}
	}
	if len(parts.parts) != 1 {
		t.Errorf("three stores of an edition have left %d compressed charts, want 1", len(parts.parts))
	}
}

func whole(t *testing.T, rls *release.Release) string {
	t.Helper()
	text, err := json.MarshalIndent(rls, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAChangedManifestIsEncodedAgain(t *testing.T) {
	rls := installed(t, testStore(1), tinyPlan(t, nil))
	e := &encoder{charts: &chartParts{}}
	if _, err := e.encode(rls); err != nil {
		t.Fatal(err)
	}
	rls.Manifest = "another"
	data, err := e.encode(rls)
	if err != nil {
		t.Fatal(err)
	}
	if got := readBack(t, rls, data).Manifest; got != "another" {
		t.Errorf("the record holds the manifest %q of before", got)
	}
}

// TestEveryFieldOfAReleaseIsEncoded: the parts of a record are made of the fields that Helm's type has now.
func TestEveryFieldOfAReleaseIsEncoded(t *testing.T) {
	rls := &release.Release{
		Name: "name", Info: &release.Info{Status: release.StatusDeployed, FirstDeployed: helmtime.Unix(1, 0)}, Chart: &chart.Chart{Metadata: &chart.Metadata{Name: "c"}},
		Config: map[string]any{"a": 1.0}, Manifest: "m", Hooks: []*release.Hook{{Name: "h"}}, Version: 7, Namespace: "ns", Labels: map[string]string{"l": "v"},
	}
	fields := reflect.ValueOf(*rls)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("field %s of Helm's release is new here: see that encode writes it", fields.Type().Field(i).Name)
		}
	}
	data, err := (&encoder{charts: &chartParts{}}).encode(rls)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole(t, rls), whole(t, readBack(t, rls, data))); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestRecordsHaveTheLabelsOfHelm(t *testing.T) {
	rls := &release.Release{Name: "shop", Version: 3, Info: &release.Info{Status: release.StatusFailed}, Labels: map[string]string{"orchestrator/digest": "d", "name": "other"}}
	got := recordLabels(rls, "modifiedAt")
	delete(got, "modifiedAt")
	want := map[string]string{"name": "shop", "owner": "helm", "status": "failed", "version": "3", "orchestrator/digest": "d"}
	if !maps.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
}

// TestARecordRendersTheSameManifest: a rollout, and an edit of a store that keeps its edition, render from the record.
func TestARecordRendersTheSameManifest(t *testing.T) {
	for name, one := range engine.All() {
		t.Run(name, func(t *testing.T) {
			s := testStore(1)
			s.Engine, s.Settings = name, provision.Settings{Title: "Kaffee & Co. <b>", Currency: "EUR", Country: "DE"}
			want, err := one.Release(s)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := (&chartStore{Charts: Charts{FS: charts.FS, Env: "development"}}).plan(want)
			if err != nil {
				t.Fatal(err)
			}
			rls := installed(t, s, plan)
			e := &encoder{charts: &chartParts{}}
			e.use(rls.Chart, plan.edition)
			data, err := e.encode(rls)
			if err != nil {
				t.Fatal(err)
			}
			read := readBack(t, rls, data)
			files, shared, err := editionFiles(read.Chart)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Plan{chart: plan.chart, own: want.Values, edition: plan.edition, files: files, shared: shared}.merged()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rls.Manifest, installed(t, s, again).Manifest); diff != "" {
				t.Errorf("(-recorded +rendered from the record):\n%s", diff)
			}
		})
	}
}
