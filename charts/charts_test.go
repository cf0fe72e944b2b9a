package charts

import (
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func names(files []File) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Name)
	}
	return all
}

func TestLoadPutsTheLibraryInPlace(t *testing.T) {
	fsys := fstest.MapFS{
		"store/tiny/Chart.yaml":                {Data: []byte("tiny")},
		"store/tiny/templates/_helpers.tpl":    {},
		"store/tiny/charts/common-0.1.0.tgz":   {},
		"store/other/Chart.yaml":               {},
		"store/common/Chart.yaml":              {Data: []byte("common")},
		"store/common/templates/_metadata.tpl": {},
	}
	files, err := Load(fsys, "tiny")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Chart.yaml", "templates/_helpers.tpl", "charts/common/Chart.yaml", "charts/common/templates/_metadata.tpl"}
	if diff := cmp.Diff(want, names(files)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if string(files[0].Data) != "tiny" || string(files[2].Data) != "common" {
		t.Errorf("contents are mixed up: %q, %q", files[0].Data, files[2].Data)
	}
}

func TestLoadNeedsNoLibrary(t *testing.T) {
	files, err := Load(fstest.MapFS{"store/tiny/Chart.yaml": {}}, "tiny")
	if err != nil || !slices.Equal(names(files), []string{"Chart.yaml"}) {
		t.Errorf("Load = %v, %v", names(files), err)
	}
}

func TestLoadRefusesWhatIsNoStore(t *testing.T) {
	for _, name := range []string{"absent", Common} {
		if files, err := Load(FS, name); err == nil {
			t.Errorf("Load(%q) = %v, want an error", name, names(files))
		}
	}
}

// TestScriptsParse leaves it to each language whether a script is one; where the language is not installed, nothing is said.
func TestScriptsParse(t *testing.T) {
	checks := map[string][]string{".sh": {"sh", "-n"}, ".php": {"php", "-l"}, ".js": {"node", "--check"}}
	err := fs.WalkDir(FS, "store", func(name string, _ fs.DirEntry, err error) error {
		check := checks[path.Ext(name)]
		if err != nil || check == nil {
			return err
		}
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(check[0]); err != nil {
				t.Skip(err)
			}
			if out, err := exec.CommandContext(t.Context(), check[0], append(check[1:], name)...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
