package helm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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

// Charts says where charts and their values come from.
type Charts struct {
	FS     fs.FS          // store/<chart> holds one chart per folder
	Env    string         // selects the chart's values-<Env>.yaml, which may be absent; "" selects none
	Values map[string]any // the installation's values; they override the chart's and the environment's ([LoadValues])
}

func (c Charts) validate() error {
	if c.FS == nil {
		return errors.New("cluster: no charts given")
	}
	if strings.ContainsAny(c.Env, `/\`) {
		return fmt.Errorf("cluster: environment %q must not contain a slash: it becomes part of a file name", c.Env)
	}
	return nil
}

// chartStore reads each chart and its schema once and caches them. Each operation loads the chart from them again, because Helm
// modifies a loaded chart.
type chartStore struct {
	Charts

	mu      sync.Mutex
	files   map[string][]*loader.BufferedFile
	schemas map[string]place // by chart; nil until they are read
}

// Plan is the desired state of a release: the chart's files and the values that override its defaults. Its edition is what it shares with the
// releases of all other stores of the engine: the files, and the values of the environment and the installation.
type Plan struct {
	chart   string
	files   []*loader.BufferedFile
	shared  map[string]any // the values of the environment and the installation
	own     map[string]any // the values of the store
	values  map[string]any // both; the store's win
	edition string         // the digest of files and shared values
	digest  string         // the digest of the edition and the store's values
}

// Edition is equal for two plans if and only if they differ in nothing but the values of their stores.
func (p Plan) Edition() string { return p.edition }

// plan merges the values of the environment, the installation and the release by Helm's own rules: the later ones win, and
// a null removes a chart's default. Its errors are of CodeInvalid.
func (c *chartStore) plan(release provision.Release) (Plan, error) {
	files, err := c.read(release.Chart)
	if err != nil {
		return Plan{}, provision.Wrap(provision.CodeInvalid, err, "chart %q is not part of this build", release.Chart)
	}
	env, err := c.envValues(files)
	if err != nil {
		return Plan{}, provision.Wrap(provision.CodeInvalid, err, "values-%s.yaml of chart %s is not a YAML mapping", c.Env, release.Chart)
	}
	installation, err := c.valuesFor(release.Chart)
	if err != nil {
		return Plan{}, provision.Wrap(provision.CodeInvalid, err, "the schemas of the charts cannot be read")
	}
	p := Plan{chart: release.Chart, files: releaseFiles(files), own: release.Values}
	p.shared = chartutil.MergeTables(copyValues(installation), copyValues(env))
	if p.edition, err = editionOf(p.files, p.shared); err != nil {
		return Plan{}, provision.Wrap(provision.CodeInvalid, err, "the values of chart %s cannot be encoded as JSON", release.Chart)
	}
	return p.merged()
}

// merged sets what follows from the edition and the store's values.
func (p Plan) merged() (Plan, error) {
	p.values = chartutil.MergeTables(copyValues(p.own), copyValues(p.shared))
	text, err := json.Marshal(p.own)
	if err != nil {
		return Plan{}, provision.Wrap(provision.CodeInvalid, err, "the values of chart %s cannot be encoded as JSON", p.chart)
	}
	p.digest = shortHash([]byte(p.edition), text)
	return p, nil
}

func (c *chartStore) read(name string) ([]*loader.BufferedFile, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if files, ok := c.files[name]; ok {
		return files, nil
	}
	files, err := readChart(c.FS, name)
	if err != nil {
		return nil, err
	}
	if c.files == nil {
		c.files = map[string][]*loader.BufferedFile{}
	}
	c.files[name] = files
	return files, nil
}

// envValues returns the chart's values-<env>.yaml, and nil where the chart has none for the environment.
func (c *chartStore) envValues(files []*loader.BufferedFile) (map[string]any, error) {
	for _, f := range files {
		if c.Env != "" && f.Name == "values-"+c.Env+".yaml" {
			var values map[string]any
			return values, yaml.Unmarshal(f.Data, &values)
		}
	}
	return nil, nil
}

// releaseFiles drops the files that do not affect a release: Helm stores every file in each revision, and a corrected README
// is no reason to upgrade all stores. The environment's values are part of the release's own values.
func releaseFiles(files []*loader.BufferedFile) []*loader.BufferedFile {
	return slices.DeleteFunc(slices.Clone(files), func(f *loader.BufferedFile) bool {
		file := path.Base(f.Name)
		return file == "README.md" || strings.HasPrefix(file, "values-") && path.Ext(file) == ".yaml"
	})
}

// editionOf is equal for equal chart files and equal values, whatever the values' Go types are. The files are in the order of
// fs.WalkDir, which is lexical.
func editionOf(files []*loader.BufferedFile, values map[string]any) (string, error) {
	text, err := json.Marshal(values) // maps are encoded in the order of their keys
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, f := range files {
		fmt.Fprintf(hash, "%s\x00%d\x00%s", f.Name, len(f.Data), f.Data)
	}
	return shortHash(hash.Sum(nil), text), nil
}

// shortHash fits into a label.
func shortHash(parts ...[]byte) string {
	sum := sha256.Sum256(bytes.Join(parts, []byte{0}))
	return hex.EncodeToString(sum[:20])
}

// load returns a chart of its own for the caller: Helm may modify it.
func (p Plan) load() (*chart.Chart, error) {
	loaded, err := loader.LoadFiles(p.files)
	if err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "chart %s cannot be loaded: %v", p.chart, err)
	}
	return loaded, p.keepEdition(loaded)
}

// invalidOr is what is wrong with the chart or the values where Helm's error comes from them, and else that error: Helm does not distinguish them from
// a problem of the cluster. It is asked after Helm, which renders before it writes: rendering is a quarter of what a store costs a worker.
func (p Plan) invalidOr(err error, s provision.Store, revision int, caps *chartutil.Capabilities) error {
	if err == nil {
		return nil
	}
	if _, invalid := p.render(s, revision, caps); invalid != nil {
		return invalid
	}
	return err
}

// render renders the chart as Helm does. Its errors are of CodeInvalid. They contain what the chart says and no values but
// those that its schema or its own messages name. The result is keyed by template.
func (p Plan) render(s provision.Store, revision int, caps *chartutil.Capabilities) (map[string]string, error) {
	loaded, err := p.load()
	if err != nil {
		return nil, err
	}
	values := copyValues(p.values)
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "the dependencies of chart %s cannot be resolved: %v", p.chart, err)
	}
	options := chartutil.ReleaseOptions{
		Name: s.ReleaseName(), Namespace: s.Namespace, Revision: revision, IsInstall: revision == 1, IsUpgrade: revision > 1,
	}
	top, err := chartutil.ToRenderValues(loaded, values, options, caps)
	if err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "chart %s rejects the store's values: %s", p.chart, strings.TrimSpace(err.Error()))
	}
	rendered, err := engine.Render(loaded, top)
	if err != nil {
		return nil, provision.Errorf(provision.CodeInvalid, "chart %s cannot be rendered: %v", p.chart, err)
	}
	return rendered, nil
}
