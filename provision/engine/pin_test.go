package engine_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"orchestrator/charts"
	"orchestrator/provision"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/engine"
)

// nextCharts are charts of a later version: each deployment has one more annotation, and the library another label.
func nextCharts(t *testing.T) fs.FS {
	t.Helper()
	next := fstest.MapFS{}
	err := fs.WalkDir(charts.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(charts.FS, path)
		if strings.HasSuffix(path, ".yaml") && strings.Contains(path, "/templates/") {
			data = []byte(strings.Replace(string(data), "\nspec:", "\n# a later version\nspec:", 1))
		}
		next[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// images are an installation's values with other images, and a default that is removed.
func images(tag string) map[string]any {
	image := map[string]any{"tag": tag}
	return map[string]any{"images": map[string]any{"static": image, "medusa": image}, "common": map[string]any{"image": map[string]any{"registry": "mirror-" + tag}}}
}

// TestAPinnedStoreIsRenderedAsBefore: a store that was installed by one version of the charts and with one image gets what that version makes of a
// newer request, and nothing of the version and image that new stores get.
func TestAPinnedStoreIsRenderedAsBefore(t *testing.T) {
	was := helm.Charts{FS: charts.FS, Env: "production", Values: images("1.0")}
	now := helm.Charts{FS: nextCharts(t), Env: "development", Values: images("2.0")}
	if folder := os.Getenv("ORCH_TEST_OLD_CHARTS"); folder != "" { // charts of an earlier release: git archive TAG charts | tar x
		was.FS = os.DirFS(folder)
	}
	for name := range engine.All() {
		t.Run(name, func(t *testing.T) {
			s := store(name, provision.Settings{Title: "A title"})
			first := releaseOf(t, s)
			s.Settings.Title = "Another title"
			second := releaseOf(t, s)
			want, err := helm.Render(was, s, second)
			if err != nil {
				t.Fatal(err)
			}
			got, err := helm.RenderPinned(was, now, s, first, second)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("the pinned release differs (-as before +pinned): ", diff)
			}
			current, err := helm.Render(now, s, second)
			if err != nil {
				t.Fatal(err)
			}
			if cmp.Equal(current, got) {
				t.Error("the charts of this test make no difference")
			}
			if _, err := helm.RenderPinned(was, was, s, first, second); err == nil {
				t.Error("a store of the current edition is pinned")
			}
		})
	}
}
