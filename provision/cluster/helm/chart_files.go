package helm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"sigs.k8s.io/yaml"
)

// chartsRoot is the folder of the file system of charts that holds one folder per chart.
const chartsRoot = "store"

// siblingPrefix begins the repository of a dependency whose chart is in the folder next to this one.
const siblingPrefix = "file://../"

// readChart reads a chart's files and, below charts/, those of the sibling charts that it depends on. Helm's command line
// copies them there; read from the sibling, they are never out of date.
func readChart(fsys fs.FS, name string) ([]*loader.BufferedFile, error) {
	files, err := readFolder(fsys, name, "")
	if err != nil {
		return nil, err
	}
	dependencies, err := siblings(files)
	if err != nil {
		return nil, err
	}
	for _, dependency := range dependencies {
		below := "charts/" + dependency + "/"
		if slices.ContainsFunc(files, func(f *loader.BufferedFile) bool { return strings.HasPrefix(f.Name, below) }) {
			continue
		}
		more, err := readFolder(fsys, dependency, below)
		if err != nil {
			return nil, fmt.Errorf("its dependency %s: %w", dependency, err)
		}
		files = append(files, more...)
	}
	return files, nil
}

func readFolder(fsys fs.FS, name, below string) ([]*loader.BufferedFile, error) {
	var files []*loader.BufferedFile
	root := path.Join(chartsRoot, name)
	err := fs.WalkDir(fsys, root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, file)
		files = append(files, &loader.BufferedFile{Name: below + strings.TrimPrefix(file, root+"/"), Data: data})
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("the folder is empty")
	}
	return files, err
}

// siblings returns the folders of the dependencies that are next to the chart.
func siblings(files []*loader.BufferedFile) ([]string, error) {
	var names []string
	for _, f := range files {
		if f.Name != "Chart.yaml" {
			continue
		}
		var meta chart.Metadata
		if err := yaml.Unmarshal(f.Data, &meta); err != nil {
			return nil, fmt.Errorf("Chart.yaml cannot be parsed: %w", err)
		}
		for _, dependency := range meta.Dependencies {
			if folder, found := strings.CutPrefix(dependency.Repository, siblingPrefix); found {
				names = append(names, folder)
			}
		}
	}
	return names, nil
}

// copyValues copies maps and lists, because Helm's merge writes into them. It keeps the values' types, which a round trip
// through JSON does not: templates print a float of a million as 1e+06.
func copyValues(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for key, value := range values {
		out[key] = copyValue(value)
	}
	return out
}

func copyValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return copyValues(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = copyValue(v[i])
		}
		return out
	}
	return value
}
