package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// document is ingest/openapi.yaml.
type document map[string]any

func read(t *testing.T) document {
	t.Helper()
	text, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// real follows a reference.
func (d document) real(node any) map[string]any {
	m, _ := node.(map[string]any)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	here := any(map[string]any(d))
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		here = here.(map[string]any)[name]
	}
	return d.real(here)
}

type operation struct {
	id, method, path string
	parameters       []any
	node             map[string]any
}

func (d document) operations() (all []operation) {
	for path, node := range d["paths"].(map[string]any) {
		item := node.(map[string]any)
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			o := node.(map[string]any)
			all = append(all, operation{o["operationId"].(string), strings.ToUpper(method), path, append(list(item["parameters"]), list(o["parameters"])...), o})
		}
	}
	return all
}

func list(node any) []any { l, _ := node.([]any); return slices.Clone(l) }

var inPath = regexp.MustCompile(`\{([a-z_]+)\}`)

// of returns the operation of a request, and the values in its path. A path without parameters comes first.
func (d document) of(r *http.Request) (found operation, values []string) {
	for _, o := range d.operations() {
		pattern := regexp.MustCompile("^" + inPath.ReplaceAllString(o.path, "([^/]+)") + "$")
		if m := pattern.FindStringSubmatch(r.URL.EscapedPath()); m != nil && o.method == r.Method && (found.id == "" || len(m) == 1) {
			found, values = o, m[1:]
		}
	}
	return found, values
}

// validate checks a value against a schema, which may refer to the components.
func (d document) validate(t *testing.T, what string, schema, value any) {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("file:///schema.json", map[string]any{"components": d["components"], "here": schema}); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("file:///schema.json#/here")
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// described answers a request as the document says, if the document describes it.
type described struct {
	t        *testing.T
	document document
	asked    string // the operation's id
	answer   any
}

func (s *described) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, inPath := s.document.of(r)
	if o.id == "" {
		s.t.Errorf("%s %s is not described", r.Method, r.URL)
		return
	}
	s.asked = o.id
	s.parameters(r, o, inPath)
	s.body(r, o)
	for status, node := range o.node["responses"].(map[string]any) {
		if strings.HasPrefix(status, "2") {
			content := s.document.real(node)["content"].(map[string]any)
			s.answer = s.document.sample(content["application/json"].(map[string]any)["schema"])
		}
	}
	text, _ := json.Marshal(s.answer)
	_, _ = w.Write(text)
}

// parameters checks that what is given is described, and that what is required is given.
func (s *described) parameters(r *http.Request, o operation, inPath []string) {
	given := map[string]string{}
	for name, values := range r.URL.Query() {
		given["query "+name] = values[0]
	}
	for i, m := range regexp.MustCompile(`\{([a-z_]+)\}`).FindAllStringSubmatch(o.path, -1) {
		given["path "+m[1]], _ = url.PathUnescape(inPath[i])
	}
	if tag := r.Header.Get("If-Match"); tag != "" {
		given["header If-Match"] = tag
	}
	if r.Header.Get("X-Orchestrator-Token") == "" {
		s.t.Error("no token is sent")
	}
	for _, node := range o.parameters {
		p := s.document.real(node)
		name := p["in"].(string) + " " + p["name"].(string)
		value, ok := given[name]
		if !ok {
			s.t.Errorf("%s: %s is described, and not given", o.id, name) // every call gives all that it can
			continue
		}
		s.document.validate(s.t, o.id+": "+name, p["schema"], s.document.typed(p["schema"], value))
		delete(given, name)
	}
	for name := range given {
		s.t.Errorf("%s: %s is given, and not described", o.id, name)
	}
}

// typed turns the text of a parameter into what its schema is about.
func (d document) typed(schema any, text string) any {
	if kind := d.real(schema)["type"]; kind == "integer" || kind == "boolean" {
		if value, err := jsonschema.UnmarshalJSON(strings.NewReader(text)); err == nil {
			return value
		}
	}
	return text
}

func (s *described) body(r *http.Request, o operation) {
	text, _ := io.ReadAll(r.Body)
	node := s.document.real(o.node["requestBody"])
	switch {
	case len(text) == 0 && node["required"] == true:
		s.t.Errorf("%s: a body is required", o.id)
	case len(text) > 0 && node == nil:
		s.t.Errorf("%s: no body is described, %s is sent", o.id, text)
	case len(text) > 0:
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil || r.Header.Get("Content-Type") != "application/json" {
			s.t.Fatal(o.id, err)
		}
		s.document.validate(s.t, o.id+": body", node["content"].(map[string]any)["application/json"].(map[string]any)["schema"], value)
	}
}

// sample is a value with every property that a schema describes, none of them the zero value.
func (d document) sample(schema any) any {
	node := d.real(schema)
	if all := list(node["allOf"]); len(all) > 0 {
		return d.sample(all[0])
	}
	if value, ok := node["const"]; ok {
		return value
	}
	if values := list(node["enum"]); len(values) > 0 {
		return values[len(values)-1]
	}
	switch node["type"] {
	case "object":
		object := map[string]any{}
		properties, _ := node["properties"].(map[string]any)
		for name, property := range properties {
			object[name] = d.sample(property)
		}
		if more, ok := node["additionalProperties"].(map[string]any); ok {
			object["x"] = d.sample(more)
		}
		return object
	case "array":
		return []any{d.sample(node["items"])}
	case "integer":
		return 7
	case "boolean":
		return true
	}
	if node["format"] == "date-time" {
		return "2026-01-02T03:04:05Z"
	}
	return "x"
}

// again is an answer as it was parsed.
func again(t *testing.T, answer any) (value any) {
	t.Helper()
	text, err := json.Marshal(answer)
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// unkept says only that a request succeeded, or is of requests and in no answer.
var unkept = regexp.MustCompile(`\.(ok|accepted|request\.suspended|request\.retain_data)$`)

// missing names what was sent and is not in what was parsed.
func missing(t *testing.T, path string, sent, parsed any) {
	t.Helper()
	if unkept.MatchString(path) {
		return
	}
	switch sent := sent.(type) {
	case map[string]any:
		kept, _ := parsed.(map[string]any)
		for name, value := range sent {
			missing(t, path+"."+name, value, kept[name])
		}
	case []any:
		if kept, _ := parsed.([]any); len(kept) == len(sent) {
			missing(t, path, sent[0], kept[0])
			return
		}
		t.Errorf("%s is lost", path)
	default:
		if parsed == nil {
			t.Errorf("%s is described, and not parsed", path)
		}
	}
}
