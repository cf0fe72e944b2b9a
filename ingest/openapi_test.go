package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"orchestrator/provision"
)

// description parses openapi.yaml.
func description(t *testing.T) map[string]any {
	t.Helper()
	var d map[string]any
	if err := yaml.UnmarshalStrict(openAPIYAML, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// at follows keys and references through the description.
func at(d map[string]any, keys ...string) map[string]any {
	here := d
	for _, key := range keys {
		here, _ = here[key].(map[string]any)
		if ref, ok := here["$ref"].(string); ok {
			here = at(d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return here
}

func TestOpenAPIReferencesResolve(t *testing.T) {
	d := description(t)
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, child := range node {
				walk(child)
			}
		case map[string]any:
			if ref, ok := node["$ref"].(string); ok && at(d, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...) == nil {
				t.Errorf("%s leads nowhere", ref)
			}
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(d)
}

var parameter = regexp.MustCompile(`:([a-z_]+)`)

func TestOpenAPIHasTheRoutesOfTheHandler(t *testing.T) {
	var described, served []string
	for path := range at(description(t), "paths") {
		for method := range at(description(t), "paths", path) {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, route := range newRig(t, &fake{}).handler.Routes() {
		if route.Method != "HEAD" { // every GET has it
			served = append(served, route.Method+" "+parameter.ReplaceAllString(route.Path, "{$1}"))
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if diff := cmp.Diff(described, served); diff != "" {
		t.Errorf("described and served differ: %s", diff)
	}
}

// TestOpenAPIResponsesHappen provokes every described response of every route and compares it with its schema.
func TestOpenAPIResponsesHappen(t *testing.T) {
	d := description(t)
	for route, answers := range examples() {
		method, path, _ := strings.Cut(route, " ")
		described := at(d, "paths", path, strings.ToLower(method), "responses")
		if diff := cmp.Diff(slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(answers))); diff != "" {
			t.Errorf("%s: described and tried differ: %s", route, diff)
		}
		for status, e := range answers {
			r := newRig(t, &e.fake)
			if e.noStreams {
				r.rebuild(t, func(c *Config) { c.MaxStreams = -1 })
			}
			if e.path == "" {
				e.path = strings.NewReplacer("{store_id}", "s-1", "{id}", "7.3.s-1", "{name}", "eu").Replace(path)
			}
			headers := []string{tokenHeader, e.token()}
			if e.ifMatch != "" {
				headers = append(headers, headerIfMatch, e.ifMatch)
			}
			a := r.send(method, e.path, e.body, headers...)
			if fmt.Sprint(a.status) != status {
				t.Errorf("%s: %d %s, want %s", route, a.status, a.raw, status)
			}
			checkAnswer(t, d, a, at(d, "paths", path, strings.ToLower(method), "responses", status))
		}
	}
	if len(examples()) != len(newRigRoutes(t)) {
		t.Errorf("%d routes are tried, %d exist", len(examples()), len(newRigRoutes(t)))
	}
}

func newRigRoutes(t *testing.T) (routes []string) {
	for _, route := range newRig(t, &fake{}).handler.Routes() {
		if route.Method != "HEAD" {
			routes = append(routes, route.Method+route.Path)
		}
	}
	return routes
}

type example struct {
	path, body string
	ifMatch    string
	noToken    bool
	noScope    bool
	noStreams  bool
	fake       fake
}

func (e example) token() string {
	if e.noToken {
		return "wrong"
	}
	if e.noScope {
		return powerlessToken
	}
	return testToken
}

func examples() map[string]map[string]example {
	failing := func(code provision.Code) fake { return fake{err: provision.Errorf(code, "because of host")} }
	large := `{"x":"` + strings.Repeat("x", 70000) + `"}`
	submit := map[string]example{
		"202": {body: store(nil)},
		"400": {body: "{"},
		"401": {body: store(nil), noToken: true},
		"403": {body: store(nil), noScope: true},
		"409": {body: store(nil), fake: failing(provision.CodeConflict)},
		"412": {body: store(nil), ifMatch: `"7"`, fake: failing(provision.CodeSuperseded)},
		"413": {body: large},
		"422": {body: "{}"},
		"429": {body: store(nil), fake: failing(provision.CodeQuota)},
		"500": {body: store(nil), fake: fake{err: errors.New("x")}},
		"503": {body: store(nil), fake: failing(provision.CodeUnavailable)},
	}
	known := fake{state: fullState(), page: provision.Page{Stores: []provision.State{fullState()}, Next: "x"}, lost: provision.Orphans{Orphans: []provision.Orphan{fullOrphan()}, Next: "x"}, places: []provision.ClusterState{{Name: "eu", Healthy: true, Stores: 7, Lost: true, Ending: true}}, dead: provision.DeadLetters{DeadLetters: []provision.DeadLetter{fullLetter()}, Next: "x"}}
	ok := map[string]example{"200": {noToken: true}}
	changes := map[string]example{
		"202": {fake: known},
		"401": {noToken: true},
		"403": {noScope: true},
		"422": {fake: failing(provision.CodeInvalid)},
		"500": {fake: fake{err: errors.New("x")}},
		"503": {fake: failing(provision.CodeUnavailable)},
	}
	ofStore := func(own map[string]example) map[string]example {
		all := map[string]example{
			"401": {noToken: true},
			"403": {noScope: true},
			"404": {},
			"409": {fake: failing(provision.CodeConflict)},
			"412": {ifMatch: `"7"`, fake: failing(provision.CodeSuperseded)},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: failing(provision.CodeUnavailable)},
		}
		maps.Copy(all, own)
		return all
	}
	bare := ofStore(map[string]example{"202": {fake: known}, "400": {ifMatch: "7"}})
	protects := map[string]example{
		"200": {fake: known},
		"400": {ifMatch: "7"},
		"401": {noToken: true},
		"403": {noScope: true},
		"404": {},
		"409": {fake: failing(provision.CodeConflict)},
		"500": {fake: fake{err: errors.New("x")}},
		"503": {fake: failing(provision.CodeUnavailable)},
	}
	all := map[string]map[string]example{
		"POST /stores/{store_id}/protect":   protects,
		"POST /stores/{store_id}/unprotect": protects,
		"POST /":                            submit,
		"POST /orchestrate":                 submit,
		"DELETE /stores/{store_id}": {
			"202": {},
			"400": {body: "{"},
			"401": {noToken: true},
			"403": {noScope: true},
			"409": {path: "/stores/s-1?retain_data=true", fake: failing(provision.CodeConflict)},
			"412": {ifMatch: `"7"`, fake: failing(provision.CodeSuperseded)},
			"413": {body: large},
			"422": {path: "/stores/a..b"},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: failing(provision.CodeUnavailable)},
		},
		"POST /stores/{store_id}/retry": ofStore(map[string]example{
			"202": {fake: known},
			"400": {body: "{"},
			"413": {body: large},
			"422": {body: `{"force":["x"]}`},
		}),
		"POST /stores/{store_id}/suspend": ofStore(map[string]example{
			"202": {fake: known, body: `{"reason":"unpaid"}`},
			"400": {body: "{"},
			"413": {body: large},
			"422": {body: `{"reason":7}`},
		}),
		"POST /stores/{store_id}/resume": bare,
		"POST /stores/{store_id}/rotate": bare,
		"POST /stores/{store_id}/restore": ofStore(map[string]example{
			"202": {fake: known, body: `{"backup":"r-1","new_password":true}`},
			"400": {body: "{"},
			"413": {body: large},
			"422": {body: `{"new_password":"x"}`},
		}),
		"POST /stores/{store_id}/backup": bare,
		"POST /stores/{store_id}/cancel": ofStore(map[string]example{
			"200": {fake: known},
			"400": {ifMatch: "7"},
		}),
		"GET /stores/{store_id}": {
			"200": {fake: known},
			"401": {fake: known, noToken: true},
			"403": {fake: known, noScope: true},
			"404": {},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: failing(provision.CodeUnavailable)},
		},
		"GET /stores/{store_id}/events": eventExamples(known),
		"GET /stores": {
			"200": {path: "/stores?status=FAILED&q=shop", fake: known},
			"400": {path: "/stores?a;b"},
			"401": {fake: known, noToken: true},
			"403": {fake: known, noScope: true},
			"422": {path: "/stores?limit=x"},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: failing(provision.CodeUnavailable)},
		},
		"GET /orphans": {
			"200": {path: "/orphans?kind=forgotten", fake: known},
			"400": {path: "/orphans?a;b"},
			"401": {path: "/orphans?kind=forgotten", fake: known, noToken: true},
			"403": {path: "/orphans?kind=forgotten", fake: known, noScope: true},
			"422": {path: "/orphans?kind=lonely"},
			"500": {path: "/orphans?kind=forgotten", fake: fake{err: errors.New("x")}},
			"503": {path: "/orphans?kind=forgotten", fake: failing(provision.CodeUnavailable)},
		},
		"GET /clusters": {
			"200": {fake: known},
			"401": {noToken: true},
			"403": {noScope: true},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: failing(provision.CodeUnavailable)},
		},
		"POST /clusters/{name}/lost":  changes,
		"POST /clusters/{name}/found": changes,
		"GET /dead-letters": {
			"200": {fake: known},
			"400": {path: "/dead-letters?a;b"},
			"401": {fake: known, noToken: true},
			"403": {fake: known, noScope: true},
			"422": {path: "/dead-letters?limit=x"},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: failing(provision.CodeUnavailable)},
		},
		"POST /dead-letters/{id}/replay": {
			"202": {fake: fake{replay: provision.ReplayQueued}},
			"401": {noToken: true},
			"403": {noScope: true},
			"404": {fake: fake{replay: provision.ReplayUnknown}},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: failing(provision.CodeUnavailable)},
		},
		"GET /":             ok,
		"GET /health":       ok,
		"GET /healthz":      ok,
		"GET /readyz":       {"200": {noToken: true}, "503": {noToken: true, fake: fake{err: errors.New("x")}}},
		"GET /openapi.yaml": ok,
		"GET /openapi.json": ok,
		"GET /docs":         ok,
	}
	maps.Copy(all, fleetExamples())
	return all
}

func checkAnswer(t *testing.T, d map[string]any, a reply, described map[string]any) {
	t.Helper()
	headers, _ := described["headers"].(map[string]any)
	for name := range headers {
		if a.header.Get(name) == "" {
			t.Errorf("%d: the described header %s is not sent", a.status, name)
		}
	}
	content, _ := described["content"].(map[string]any)
	media, ok := content[a.header.Get("Content-Type")].(map[string]any)
	if !ok {
		t.Errorf("%d: the media type %s is not described", a.status, a.header.Get("Content-Type"))
		return
	}
	if a.body != nil {
		checkSchema(t, d, at(map[string]any{"media": media, "components": d["components"]}, "media", "schema"), a.body)
	}
}

// checkSchema checks an object against the part of JSON Schema that the description uses: every required property exists
// and every property is described, recursively.
func checkSchema(t *testing.T, d, schema, body map[string]any) {
	t.Helper()
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := body[name.(string)]; !ok {
			t.Errorf("the required property %s is missing in %v", name, body)
		}
	}
	for name, value := range body {
		property := at(map[string]any{"schema": schema, "components": d["components"]}, "schema", "properties", name)
		if property == nil {
			t.Errorf("the property %s of %v is not described", name, body)
			continue
		}
		if list, ok := value.([]any); ok {
			items := at(map[string]any{"p": property, "components": d["components"]}, "p", "items")
			for _, item := range list {
				if object, ok := item.(map[string]any); ok {
					checkSchema(t, d, items, object)
				}
			}
		}
	}
}

// Every described property of a request is decoded, and every field of a request is described.
func TestOpenAPIExamplesAreAccepted(t *testing.T) {
	d := description(t)
	for name, e := range at(d, "components", "requestBodies", "Store", "content", "application/json", "examples") {
		body, err := json.Marshal(e.(map[string]any)["value"])
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, &fake{})
		if a := r.send("POST", "/", string(body)); a.status != 202 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
			continue
		}
		back, err := json.Marshal(r.got[0])
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(back, &got); err != nil {
			t.Fatal(err)
		}
		if name == "delete" {
			continue
		}
		for _, schema := range []struct {
			name string
			got  map[string]any
		}{{"Provision", got}, {"Settings", got["settings"].(map[string]any)}} {
			described := at(d, "components", "schemas", schema.name, "properties")
			delete(described, "suspended") // kept beside the request
			delete(described, retainData)  // of a delete; described here only to say that it is refused
			if diff := cmp.Diff(slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(schema.got))); diff != "" {
				t.Errorf("%s: described and taken over differ: %s", schema.name, diff)
			}
		}
	}
}

func TestOpenAPIHasEveryStatus(t *testing.T) {
	statuses := []any{}
	for _, s := range []provision.Status{
		provision.StatusProvisioning, provision.StatusReady, provision.StatusSuspended, provision.StatusFailed,
		provision.StatusDeleting, provision.StatusDeleted, provision.StatusDeleteFailed,
	} {
		statuses = append(statuses, string(s))
	}
	if diff := cmp.Diff(statuses, at(description(t), "components", "schemas", "Status")["enum"]); diff != "" {
		t.Error(diff)
	}
}
