// Package charts holds the Helm charts of the stores, embedded, so that a binary needs no files beside it.
package charts

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// FS holds one folder per chart below store/. The folder store/common is no store but a library chart: what the charts
// of the stores share ([Load] puts it where Helm looks for it).
//
//go:embed all:store
var FS embed.FS

// Common is the name of the library chart.
const Common = "common"

// File is one file of a chart; Name is relative to the chart's folder and separated by slashes.
type File struct {
	Name string
	Data []byte
}

// Load returns the files of the chart store/<name> in fsys, in the order of their names, with the library chart of the
// same fsys, if it has one, in place as charts/common. That is what `helm dependency build` makes of the dependency
// file://../common in Chart.yaml, so the result is a complete chart for loader.LoadFiles, and each shared template exists
// once. Dependencies that somebody vendored into the folder by hand are left out.
func Load(fsys fs.FS, name string) ([]File, error) {
	if name == Common {
		return nil, fmt.Errorf("chart %q is a library and cannot be installed: name one of the other folders of store/", name)
	}
	files, err := read(fsys, path.Join("store", name), "")
	if err != nil {
		return nil, fmt.Errorf("cannot load the chart %q: %w", name, err)
	}
	shared, err := read(fsys, path.Join("store", Common), "charts/"+Common+"/")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot load the library chart for %q: %w", name, err)
	}
	return append(files, shared...), nil
}

// read returns the files below root, their names with prefix in place of root.
func read(fsys fs.FS, root, prefix string) ([]File, error) {
	var files []File
	err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		relative := strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
		if err != nil || entry.IsDir() || strings.HasPrefix(relative, "charts/"+Common) {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		files = append(files, File{Name: prefix + relative, Data: data})
		return err
	})
	return files, err
}
