package helm

import (
	"bytes"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// schemas are the compiled schemas of charts. Helm compiles them at each install, which is a tenth of its cost.
type schemas struct {
	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema // by their texts; nil for one that does not compile
}

// maxSchemas bounds how many are kept; each edition of an engine has two.
const maxSchemas = 64

// accept reports whether the values satisfy the schemas of a chart and its dependencies, so that Helm need not ask. false says nothing: Helm is to ask, and
// to say what is wrong.
func (c *schemas) accept(loaded *chart.Chart, values map[string]any) bool {
	for _, dependency := range loaded.Metadata.Dependencies {
		if dependency.Condition != "" || len(dependency.Tags) > 0 || len(dependency.ImportValues) > 0 {
			return false // it changes the values first
		}
	}
	all, err := chartutil.CoalesceValues(loaded, copyValues(values))
	return err == nil && c.acceptChart(loaded, all)
}

func (c *schemas) acceptChart(loaded *chart.Chart, values map[string]any) bool {
	if loaded.Schema != nil {
		schema := c.of(loaded.Schema)
		if schema == nil || schema.Validate(values) != nil {
			return false
		}
	}
	for _, dependency := range loaded.Dependencies() {
		below, given := values[dependency.Name()]
		if !given || below == nil {
			continue
		}
		table, ok := below.(map[string]any)
		if !ok || !c.acceptChart(dependency, table) {
			return false
		}
	}
	return true
}

func (c *schemas) of(text []byte) *jsonschema.Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.compiled[string(text)]; ok {
		return kept
	}
	if len(c.compiled) >= maxSchemas || c.compiled == nil {
		c.compiled = map[string]*jsonschema.Schema{}
	}
	made := compile(text)
	c.compiled[string(text)] = made
	return made
}

// compile returns nil for a schema that Helm has to read itself: it is wrong, or refers to others.
func compile(text []byte) *jsonschema.Schema {
	const name = "file:///values.schema.json"
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	if err := compiler.AddResource(name, parsed); err != nil {
		return nil
	}
	made, err := compiler.Compile(name)
	if err != nil {
		return nil
	}
	return made
}
