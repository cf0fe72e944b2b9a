package ingest

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestTheDescriptionIsTheSameAsJSON(t *testing.T) {
	r := newRig(t, &fake{})
	var fromJSON, fromYAML any
	if err := json.Unmarshal([]byte(r.send("GET", "/openapi.json", "").raw), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(openAPIYAML, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromYAML, fromJSON); diff != "" {
		t.Error(diff)
	}
}

// TestDocsShowEverything: each operation and each schema, with links that lead somewhere, and nothing from elsewhere.
func TestDocsShowEverything(t *testing.T) {
	a := newRig(t, &fake{}).send("GET", "/docs", "")
	if a.status != 200 || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
		t.Fatal(a.status, a.header)
	}
	var d struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	if err := yaml.Unmarshal(openAPIYAML, &d); err != nil {
		t.Fatal(err)
	}
	for path, item := range d.Paths {
		for method := range item {
			if name := "<h3><code>" + strings.ToUpper(method) + " " + path + "</code></h3>"; method != "parameters" && !strings.Contains(a.raw, name) {
				t.Errorf("%s %s is missing", method, path)
			}
		}
	}
	for name := range d.Components.Schemas {
		if !strings.Contains(a.raw, `id="schema-`+name+`"`) {
			t.Errorf("the schema %s is missing", name)
		}
	}
	for _, text := range []string{`<a href="#schema-Provision">Provision</a> or <a href="#schema-Delete">Delete</a>`, "<code>detail</code>"} {
		if !strings.Contains(a.raw, text) {
			t.Errorf("%s is missing", text)
		}
	}
	if strings.Contains(a.raw, "`") {
		t.Error("a mark for code is left")
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(`id="([^"]+)"`).FindAllStringSubmatch(a.raw, -1) {
		if ids[id[1]] {
			t.Errorf("two parts are called %s", id[1])
		}
		ids[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(a.raw, -1) {
		if target, inside := strings.CutPrefix(link[1], "#"); inside && !ids[target] || !inside && !strings.HasPrefix(link[1], "openapi.") {
			t.Errorf("the link %s leads nowhere, or elsewhere", link[1])
		}
	}
}
