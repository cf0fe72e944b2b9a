package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// fakeRecords is an ingest with the records of stores. It refuses to change one of them.
type fakeRecords struct {
	states map[string]provision.State
	refuse string
	asked  []string
	bodies []string
}

func (f *fakeRecords) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		s, ok := f.states[strings.TrimPrefix(r.URL.Path, "/stores/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"title":"The store does not exist","status":404}`)
			return
		}
		_ = json.NewEncoder(w).Encode(s)
		return
	}
	var body struct {
		StoreID string `json:"store_id"`
	}
	var raw json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&raw)
	_ = json.Unmarshal(raw, &body)
	f.asked, f.bodies = append(f.asked, body.StoreID+ifMatch(r)), append(f.bodies, string(raw))
	if body.StoreID == f.refuse {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"title":"no","status":409,"detail":"not this one"}`)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"store_id":%q,"action":"provision","generation":9,"task_id":"9.%s"}`, body.StoreID, body.StoreID)
}

// records are three shops, as the service has recorded them.
func records() *fakeRecords {
	f := &fakeRecords{states: map[string]provision.State{}}
	for _, id := range []string{"a", "b", "c"} {
		s := shop(provision.StatusReady)
		s.StoreID = id
		s.Request = &provision.Request{StoreID: id, Action: provision.OpProvision, Engine: "medusa", Name: id, Namespace: "store-" + id, Host: "xn--kse-qla.example.com",
			StoreURL: "https://xn--kse-qla.example.com/" + id, CreatorID: "007", Settings: provision.Settings{Title: "Old", Country: "NO"}}
		f.states[id] = s
	}
	return f
}

// document is a store as in the records, with lines more.
func document(id string, more ...string) string {
	return "store_id: " + id + "\nengine: medusa\nname: " + id + "\nnamespace: store-" + id + "\nhost: Käse.example.com.\nstore_url: HTTPS://Käse.example.com/" + id +
		"\ncreator_id: 007\n" + strings.Join(more, "\n") + "\n"
}

const same = "settings: {title: Old, country: NO}"

func applied(t *testing.T, f *fakeRecords, text string, args ...string) (code int, out, errOut string) {
	t.Helper()
	environment(t, f)
	path := filepath.Join(t.TempDir(), "stores.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return orchestrator(t, append([]string{"apply", "-f", path}, args...)...)
}

func TestApplyRequestsWhatDiffers(t *testing.T) {
	f := records()
	text := document("a", same) + "---\n" + document("b", "settings: {title: New, country: NO, sample_product: true}") + "---\n" + document("new") + "---\n"
	code, out, errOut := applied(t, f, text, "--yes")
	if code != 0 || !slices.Equal(f.asked, []string{`b if "7"`, "new"}) {
		t.Fatalf("%d, asked %q: %s %s", code, f.asked, out, errOut)
	}
	for _, line := range []string{"~ b\n    title           \"Old\" → \"New\"\n    sample-product  false → true\n", "+ new  medusa, Käse.example.com.\n", "2 of 3 stores differ: 1 to create, 1 to change.\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not printed in:\n%s", line, out)
		}
	}
	var r provision.Request
	if err := json.Unmarshal([]byte(f.bodies[0]), &r); err != nil || r.CreatorID != "007" || r.Settings.Country != "NO" || strings.Contains(f.bodies[0], "suspended") {
		t.Errorf("requested %s: %v", f.bodies[0], err)
	}
}

func TestApplyDryRunSaysByItsExitCodeWhatDiffers(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		change func(*provision.State)
		code   int
		prints string
	}{
		"nothing":            {document("a", same), nil, 0, "0 of 1 stores differ"},
		"a list, and JSON":   {`[{"store_id":"a","engine":"medusa","name":"a","namespace":"store-a","host":"xn--kse-qla.example.com","store_url":"https://xn--kse-qla.example.com/a","creator_id":7,"settings":{}}]`, nil, 3, `creator  "007" → "7"`},
		"a default":          {document("a"), nil, 3, `title    "Old" → ""`},
		"stopped":            {document("a", same, "suspended: true"), nil, 3, "suspended  false → true"},
		"left as it is":      {document("a", same), func(s *provision.State) { s.Suspended = true }, 0, "0 of 1 stores differ"},
		"another cluster":    {document("a", same, "cluster: us"), func(s *provision.State) { s.Cluster = "eu" }, 3, `cluster  "eu" → "us"`},
		"any cluster":        {document("a", same), func(s *provision.State) { s.Cluster = "eu" }, 0, "0 of 1 stores differ"},
		"has failed":         {document("a", same), func(s *provision.State) { s.Status = provision.StatusFailed }, 0, "a is FAILED, and differs in nothing; try it again with: orchestrator retry a"},
		"is being deleted":   {document("a", same), func(s *provision.State) { s.Action = provision.OpDelete }, 3, "+ a  medusa"},
		"is deleted":         {document("a", same), func(s *provision.State) { s.Status = provision.StatusDeleted }, 3, "+ a  medusa"},
		"will be deleted":    {document("a", same), func(s *provision.State) { s.DeleteAt = time.Unix(0, 0).UTC() }, 3, `deleted  "at 1970-01-01T00:00:00Z" → "kept"`},
		"documents of nulls": {"---\n# none\n---\n" + document("a", same) + "---\n", nil, 0, "0 of 1 stores differ"},
	} {
		f := records()
		if s := f.states["a"]; test.change != nil {
			test.change(&s)
			f.states["a"] = s
		}
		code, out, errOut := applied(t, f, test.text, "--dry-run")
		if code != test.code || !strings.Contains(out, test.prints) || len(f.asked) > 0 {
			t.Errorf("%s: %d, asked %q:\n%s%s", name, code, f.asked, out, errOut)
		}
	}
}

func TestApplyRequestsNothingWhereADocumentIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		document("a", same) + "---\n" + document("b", "setings: {}"): "field setings not found",
		document("a", "settings: {titel: x}"):                        "field titel not found\n",
		document("a", "title: [x"):                                   "did not find expected",
		document("a", "host: other"):                                 `mapping key "host" already defined`,
		document("a") + "---\n" + document("a"):                      "a is described in",
		document("a", "action: delete"):                              "see orchestrator delete",
		"name: x\n":                                                  "has no store_id",
		"--- \n":                                                     "has no document",
		"just text":                                                  "cannot unmarshal",
	} {
		f := records()
		if code, out, errOut := applied(t, f, text, "--yes"); code != 1 || len(f.asked) > 0 || !strings.Contains(errOut, want) {
			t.Errorf("%q: %d, asked %q: %s%s, want %q", text, code, f.asked, out, errOut, want)
		}
	}
}

func TestApplyGoesOnAfterARefusal(t *testing.T) {
	f := records()
	f.refuse = "b"
	text := document("b") + "---\n" + document("c")
	code, out, errOut := applied(t, f, text, "--yes", "-o", "json")
	if code != 1 || !strings.Contains(errOut, "b: no (409): not this one") || !slices.Equal(f.asked, []string{`b if "7"`, `c if "7"`}) {
		t.Errorf("%d, asked %q: %s", code, f.asked, errOut)
	}
	if !strings.Contains(out, `{"store_id":"c","action":"change","changes":[{"field":"title","from":"Old","to":""},`) || strings.Count(out, "\n") != 3 {
		t.Errorf("printed %s", out)
	}
	if code, _, errOut := applied(t, records(), text); code != 1 || !strings.Contains(errOut, "2 stores would be created or changed; add --yes") {
		t.Errorf("without --yes: %d %s", code, errOut)
	}
	if code, _, errOut := orchestrator(t, "apply"); code != 2 || !strings.Contains(errOut, "apply takes -f") {
		t.Errorf("without a file: %d %s", code, errOut)
	}
}

func TestApplyReadsFolders(t *testing.T) {
	f, dir := records(), t.TempDir()
	environment(t, f)
	for name, text := range map[string]string{"1.yaml": document("a", same), "2.yml": document("b"), "3.json": `{"store_id":"new"}`, "README.md": "no", "4.yaml/in.yaml": document("c")} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, errOut := orchestrator(t, "apply", "-f", dir, "--dry-run"); code != 3 || !strings.Contains(out, "2 of 3 stores differ: 1 to create, 1 to change.") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
	if code, _, errOut := orchestrator(t, "apply", "-f", t.TempDir()); code != 1 || !strings.Contains(errOut, "has no *.yaml") {
		t.Errorf("%d %s", code, errOut)
	}
}

// A document has the fields of a request, besides what is of deletes only.
func TestDescribedHasTheFieldsOfARequest(t *testing.T) {
	names := func(of reflect.Type, tag string) (all []string) {
		for i := range of.NumField() {
			if name, _, _ := strings.Cut(of.Field(i).Tag.Get(tag), ","); name != "-" && name != "retain_data" {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		return all
	}
	of := slices.DeleteFunc(names(reflect.TypeFor[described](), "yaml"), func(name string) bool { return name == "suspended" })
	if want := names(reflect.TypeFor[provision.Request](), "json"); !slices.Equal(of, want) {
		t.Errorf("a document has %q, a request %q", of, want)
	}
	if of, want := names(reflect.TypeFor[settings](), "yaml"), names(reflect.TypeFor[provision.Settings](), "json"); !slices.Equal(of, want) {
		t.Errorf("a document's settings have %q, a request's %q", of, want)
	}
}
