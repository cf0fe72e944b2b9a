package charts

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the charts' READMEs anew")

// TestReadmes: each chart's README says what its values say. Every value has a comment, which is its description.
func TestReadmes(t *testing.T) {
	folders, err := fs.ReadDir(FS, "store")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if folder.Name() == Common {
			continue
		}
		want := readme(t, folder.Name())
		file := path.Join("store", folder.Name(), "README.md")
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, _ := os.ReadFile(file)
		if diff := gocmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s differs from what the values say; run the test with -update (-want +got):\n%s", file, diff)
		}
	}
}

func readme(t *testing.T, name string) string {
	t.Helper()
	var chart struct {
		Name, Description, Version string
		AppVersion                 string `yaml:"appVersion"`
	}
	if err := yaml.Unmarshal(readChartFile(t, name, "Chart.yaml"), &chart); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "# The chart %s %s, for version %s\n\n%s\n\n", chart.Name, chart.Version, chart.AppVersion, chart.Description)
	out.WriteString("This file is made from the comments in the values: `go test ./charts -run Readmes -update`. How values are laid over each\n" +
		"other, and what the images must be, is in [charts/README.md](../../README.md).\n\n## Values\n\n")
	writeValues(t, &out, readChartFile(t, name, "values.yaml"), "")
	out.WriteString("\n## Values that all stores have\n\n")
	writeValues(t, &out, readChartFile(t, Common, "values.yaml"), Common+".")
	for _, env := range []string{"development", "production"} {
		fmt.Fprintf(&out, "\n## values-%s.yaml\n\n```yaml\n%s```\n", env, readChartFile(t, name, "values-"+env+".yaml"))
	}
	return out.String()
}

func readChartFile(t *testing.T, chart, name string) []byte {
	t.Helper()
	text, err := fs.ReadFile(FS, path.Join("store", chart, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// writeValues writes the table of all values of a file.
func writeValues(t *testing.T, out *strings.Builder, text []byte, prefix string) {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	out.WriteString("| value | default | what it is |\n|---|---|---|\n")
	writeRows(t, out, document.Content[0], prefix)
}

// writeRows writes a row for each value of a table. A table is one row where nothing in it has a comment of its own.
func writeRows(t *testing.T, out *strings.Builder, table *yaml.Node, prefix string) {
	t.Helper()
	for i := 0; i < len(table.Content); i += 2 {
		key, value := table.Content[i], table.Content[i+1]
		said, inner := describe(key, value)
		if value.Kind == yaml.MappingNode && hasComments(value) {
			if said != "" {
				fmt.Fprintf(out, "| **`%s`** | | %s |\n", prefix+key.Value, said)
			}
			writeRows(t, out, value, prefix+key.Value+".")
			continue
		}
		if said = cmp.Or(said, inner); said == "" {
			t.Errorf("the value %s has no comment that says what it is", prefix+key.Value)
		}
		fmt.Fprintf(out, "| `%s` | `%s` | %s |\n", prefix+key.Value, asJSON(t, value), said)
	}
}

// describe is what the comments above and beside a value say, as one line of a table.
func describe(key, value *yaml.Node) (said, beside string) {
	line := func(text string) string {
		var words []string
		for each := range strings.Lines(text) {
			words = append(words, strings.Fields(strings.TrimLeft(each, "# \t"))...)
		}
		return strings.ReplaceAll(strings.Join(words, " "), "|", "\\|")
	}
	said = strings.TrimSpace(line(key.HeadComment) + " " + line(cmp.Or(key.LineComment, value.LineComment)))
	return said, line(value.HeadComment)
}

func hasComments(node *yaml.Node) bool {
	for _, child := range node.Content {
		if child.HeadComment+child.LineComment != "" || hasComments(child) {
			return true
		}
	}
	return false
}

func asJSON(t *testing.T, node *yaml.Node) string {
	t.Helper()
	var value any
	if err := node.Decode(&value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
