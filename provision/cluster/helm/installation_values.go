package helm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"sigs.k8s.io/yaml"

	"orchestrator/provision"
)

// One file of installation values serves the charts of all engines: each chart gets the keys that it knows, and a key that
// another chart knows is not a mistake.

// Check renders a release of each chart with the installation's values, and returns everything that is wrong with them, so
// that it is found before the first store is.
func (c Charts) Check(s provision.Store, releases map[string]provision.Release) error {
	var errs []error
	for _, engine := range slices.Sorted(maps.Keys(releases)) {
		s.Engine = engine
		if _, err := Render(c, s, releases[engine]); err != nil {
			errs = append(errs, errors.New(provision.Public(err)))
		}
	}
	return errors.Join(errs...)
}

// chartSchema is a node of a chart's values.schema.json.
type chartSchema struct {
	Ref         string                  `json:"$ref"`
	Properties  map[string]*chartSchema `json:"properties"`
	Most        *int                    `json:"maxProperties"`
	Additional  json.RawMessage         `json:"additionalProperties"`
	Definitions map[string]*chartSchema `json:"definitions"`
}

// closed reports whether the node names all its keys.
func (n *chartSchema) closed() bool {
	return n != nil && (string(n.Additional) == "false" || n.Most != nil && *n.Most == 0)
}

// child is the node of a key, in the schema of this root; nil where the schema says nothing about it.
func (n *chartSchema) child(root *chartSchema, key string) *chartSchema {
	if n == nil {
		return nil
	}
	next := n.Properties[key]
	for next != nil && next.Ref != "" {
		next = root.Definitions[strings.TrimPrefix(next.Ref, "#/definitions/")]
	}
	return next
}

// valuesFor returns the installation's values without the keys that only other charts know.
func (c *chartStore) valuesFor(name string) (map[string]any, error) {
	if len(c.Values) == 0 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schemas == nil {
		schemas, err := readSchemas(c.FS)
		if err != nil {
			return nil, err
		}
		c.schemas = schemas
	}
	own, known := c.schemas[name]
	if !known {
		return copyValues(c.Values), nil
	}
	var others []place
	for other, schema := range c.schemas {
		if other != name {
			others = append(others, schema)
		}
	}
	return keysFor(copyValues(c.Values), own, others), nil
}

// place is a node and the schema that it is in.
type place struct{ root, node *chartSchema }

func (p place) below(key string) place { return place{p.root, p.node.child(p.root, key)} }

func keysFor(values map[string]any, own place, others []place) map[string]any {
	kept := map[string]any{}
	for key, value := range values {
		below, elsewhere := own.below(key), []place{}
		for _, other := range others {
			if next := other.below(key); next.node != nil {
				elsewhere = append(elsewhere, next)
			}
		}
		if own.node.closed() && below.node == nil && len(elsewhere) > 0 {
			continue
		}
		if table, ok := value.(map[string]any); ok {
			value = keysFor(table, below, elsewhere)
		}
		kept[key] = value
	}
	return kept
}

// readSchemas reads the schemas of the charts that have one, without libraries.
func readSchemas(fsys fs.FS) (map[string]place, error) {
	folders, err := fs.ReadDir(fsys, "store")
	if err != nil {
		return nil, err
	}
	all := map[string]place{}
	for _, folder := range folders {
		schema, err := readSchema(fsys, folder.Name())
		if err != nil {
			return nil, err
		}
		if schema != nil && !isLibrary(fsys, folder.Name()) {
			all[folder.Name()] = place{schema, schema}
		}
	}
	return all, nil
}

// readSchema returns nil for a chart without a schema.
func readSchema(fsys fs.FS, name string) (*chartSchema, error) {
	text, err := fs.ReadFile(fsys, path.Join("store", name, "values.schema.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	root := &chartSchema{}
	if err := json.Unmarshal(text, root); err != nil {
		return nil, fmt.Errorf("the schema of chart %s does not parse: %w", name, err)
	}
	return root, nil
}

// isLibrary reports whether the chart is only a part of others: its values are theirs, below its name.
func isLibrary(fsys fs.FS, name string) bool {
	text, err := fs.ReadFile(fsys, path.Join("store", name, "Chart.yaml"))
	var meta chart.Metadata
	return err == nil && yaml.Unmarshal(text, &meta) == nil && meta.Type == "library"
}

// LoadValues reads a YAML file of values for [Charts]. An empty path means no values.
func LoadValues(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the installation's values: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("the installation's values in %s are not a YAML mapping: %w", path, err)
	}
	return values, nil
}
