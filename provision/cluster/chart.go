package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"

	"orchestrator/provision"
)

// chartStore reads each chart once and keeps its files. A chart is loaded from them for each operation, since Helm
// changes a chart while it works with it.
type chartStore struct {
	fsys   fs.FS
	env    string
	values map[string]any

	mu    sync.Mutex
	files map[string][]*loader.BufferedFile
}

// plan is what a release is to look like: the chart's files, the values over its own, and a digest of both.
type plan struct {
	chart  string
	files  []*loader.BufferedFile
	values map[string]any
	digest string
}

// plan lays the values of the environment, the installation and the release over each other, the last one on top, with
// Helm's own rules: a null takes a chart's default away. Errors are of CodeInvalid.
func (c *chartStore) plan(release provision.Release) (plan, error) {
	files, err := c.read(release.Chart)
	if err != nil {
		return plan{}, provision.Wrap(provision.CodeInvalid, err, "chart %q is not a part of this build", release.Chart)
	}
	env, err := c.envValues(files)
	if err != nil {
		return plan{}, provision.Wrap(provision.CodeInvalid, err, "values-%s.yaml of chart %s is not a YAML mapping", c.env, release.Chart)
	}
	values := chartutil.MergeTables(copyValues(release.Values), copyValues(c.values))
	values = chartutil.MergeTables(values, env)
	files = kept(files)
	digest, err := digestOf(files, values)
	if err != nil {
		return plan{}, provision.Wrap(provision.CodeInvalid, err, "the values of chart %s cannot be written as JSON", release.Chart)
	}
	return plan{release.Chart, files, values, digest}, nil
}

func (c *chartStore) read(name string) ([]*loader.BufferedFile, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if files, ok := c.files[name]; ok {
		return files, nil
	}
	files, err := readChart(c.fsys, name)
	if err != nil {
		return nil, err
	}
	if c.files == nil {
		c.files = map[string][]*loader.BufferedFile{}
	}
	c.files[name] = files
	return files, nil
}

// envValues is the chart's values-<env>.yaml; a chart need not have one for every environment.
func (c *chartStore) envValues(files []*loader.BufferedFile) (map[string]any, error) {
	for _, f := range files {
		if c.env != "" && f.Name == "values-"+c.env+".yaml" {
			var values map[string]any
			return values, yaml.Unmarshal(f.Data, &values)
		}
	}
	return nil, nil
}

// kept leaves out what says nothing about a release: Helm keeps each file in every revision, and a README that is mended
// is no reason to upgrade all stores. The values of the environment are among the release's own.
func kept(files []*loader.BufferedFile) []*loader.BufferedFile {
	return slices.DeleteFunc(slices.Clone(files), func(f *loader.BufferedFile) bool {
		file := path.Base(f.Name)
		return file == "README.md" || strings.HasPrefix(file, "values-") && path.Ext(file) == ".yaml"
	})
}

// digestOf is equal for equal chart files and equal values, whatever the values' Go types are. It is short enough for
// a label. Files come in the order of fs.WalkDir, which is lexical.
func digestOf(files []*loader.BufferedFile, values map[string]any) (string, error) {
	text, err := json.Marshal(values) // maps are written in the order of their keys
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, f := range files {
		fmt.Fprintf(hash, "%s\x00%d\x00%s", f.Name, len(f.Data), f.Data)
	}
	hash.Write(text)
	return hex.EncodeToString(hash.Sum(nil)[:20]), nil
}

// load is a chart that Helm may change.
func (p plan) load() (*chart.Chart, error) {
	loaded, err := loader.LoadFiles(p.files)
	if err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "chart %s cannot be loaded: %v", p.chart, err)
	}
	return loaded, nil
}

// render renders the chart as Helm will, so that what is wrong with chart or values is told from what is wrong with the
// cluster: Helm's own errors do not say. Its errors are of CodeInvalid and hold what the chart says, and no values but
// those that its schema or its own messages name. The result is by template.
func (p plan) render(s provision.Store, revision int, caps *chartutil.Capabilities) (map[string]string, error) {
	loaded, err := p.load()
	if err != nil {
		return nil, err
	}
	values := copyValues(p.values)
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "the dependencies of chart %s do not fit together: %v", p.chart, err)
	}
	options := chartutil.ReleaseOptions{
		Name: s.Name, Namespace: s.Namespace, Revision: revision, IsInstall: revision == 1, IsUpgrade: revision > 1,
	}
	top, err := chartutil.ToRenderValues(loaded, values, options, caps)
	if err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "chart %s refuses the store's values: %s", p.chart, strings.TrimSpace(err.Error()))
	}
	rendered, err := engine.Render(loaded, top)
	if err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "chart %s cannot be rendered: %v", p.chart, err)
	}
	return rendered, nil
}
