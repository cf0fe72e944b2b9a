package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"orchestrator/cmd/orchestrator/internal/state"
	"orchestrator/provision"
)

// fakeIngest answers with one store and keeps the requests that it received. Each GET of the store returns the next of its states.
type fakeIngest struct {
	mu     sync.Mutex
	states []provision.State
	asked  []string
	bodies []string
}

func (f *fakeIngest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	f.asked, f.bodies = append(f.asked, r.Method+" "+r.URL.Path+ifMatch(r)), append(f.bodies, string(body))
	switch {
	case r.Header.Get("X-Orchestrator-Token") != "secret":
		w.WriteHeader(401)
		fmt.Fprint(w, `{"title":"The token is missing or wrong","status":401}`)
	case r.Method == "POST" || r.Method == "DELETE":
		w.WriteHeader(202)
		fmt.Fprint(w, `{"ok":true,"accepted":true,"store_id":"shop","action":"provision","generation":7,"task_id":"7.shop"}`)
	case len(f.states) == 0 && r.URL.Path != "/stores":
		w.WriteHeader(404)
		fmt.Fprint(w, `{"title":"The store is not known","status":404,"detail":"nothing is recorded about the store shop"}`)
	case r.URL.Path == "/stores":
		_ = json.NewEncoder(w).Encode(provision.Page{Stores: f.states[:min(1, len(f.states))], Next: r.URL.Query().Get("cursor") + ""})
	default:
		_ = json.NewEncoder(w).Encode(f.states[0])
		if len(f.states) > 1 {
			f.states = f.states[1:]
		}
	}
}

func ifMatch(r *http.Request) string {
	if tag := r.Header.Get("If-Match"); tag != "" {
		return " if " + tag
	}
	return ""
}

// environment serves a fake ingest and sets the variables that lead to it.
func environment(t *testing.T, f http.Handler) {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	t.Setenv("ORCHESTRATOR_URL", server.URL)
	t.Setenv("ORCHESTRATOR_TOKEN", "secret")
}

func orchestrator(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var o, e bytes.Buffer
	code = run(ctx, args, &o, &e)
	return code, o.String(), e.String()
}

func shop(status provision.Status, steps ...string) provision.State {
	s := provision.State{StoreID: "shop", Engine: "woocommerce", Host: "shop.localhost", StoreURL: "http://shop.localhost", Action: provision.OpProvision,
		Generation: 7, TaskID: "7.shop", Status: status, AcceptedAt: time.Now(), Deadline: time.Now().Add(time.Hour)}
	if status.Final() {
		s.DecidedAt = time.Now()
	}
	for _, name := range steps {
		s.Steps = append(s.Steps, provision.Step{At: time.Now(), Generation: 7, Op: provision.OpProvision, Name: name, State: provision.StepDone, Millis: 100})
	}
	return s
}

func TestSubmitDerivesARequestFromAnID(t *testing.T) {
	f := &fakeIngest{}
	environment(t, f)
	code, out, errOut := orchestrator(t, "submit", "shop", "--engine", "medusa", "--title", "Käse", "--sample-product")
	if code != 0 || !strings.Contains(out, "orchestrator watch shop") {
		t.Fatal(code, out, errOut)
	}
	var got provision.Request
	if err := json.Unmarshal([]byte(f.bodies[1]), &got); err != nil || f.asked[0] != "GET /stores/shop" {
		t.Fatal(err, f.asked)
	}
	want := provision.Request{StoreID: "shop", Name: "shop", Engine: "medusa", Namespace: "store-shop", Host: "shop.localhost", StoreURL: "http://shop.localhost",
		Action: provision.OpProvision, Settings: provision.Settings{Title: "Käse", SampleProduct: true}}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWithDefaultsIsValidForEveryID(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"a", "A", "a.b", "a_b", "a-b", "0b8f3c1e-7d52-4a57-9a39-0d8a1e9f5c11", strings.Repeat("a", 63), strings.Repeat("a", 62) + "b", "Shop_1.x"} {
		r := withDefaults(provision.Request{StoreID: id, Engine: "e", Action: provision.OpProvision})
		if bad := r.Validate(provision.Policy{Engines: []string{"e"}}); bad != nil {
			t.Errorf("%s: %v in %+v", id, bad, r)
		}
		if other, taken := seen[r.Name]; taken {
			t.Errorf("%s and %s share the name %s", id, other, r.Name)
		}
		seen[r.Name] = id
	}
}

func TestSubmitSendsAFileUnchanged(t *testing.T) {
	f := &fakeIngest{}
	environment(t, f)
	path, body := filepath.Join(t.TempDir(), "r.json"), `{"store_id":"x","unknown":[1]}`
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := orchestrator(t, "submit", "--file", path); code != 0 || f.bodies[0] != body {
		t.Error(code, errOut, f.bodies)
	}
}

func TestWatchEndsWithTheOutcome(t *testing.T) {
	for status, want := range map[provision.Status]int{"READY": 0, "DELETED": 0, "FAILED": 1, "DELETE_FAILED": 1} {
		f := &fakeIngest{states: []provision.State{shop("PROVISIONING", "namespace"), shop(status, "namespace", "release")}}
		environment(t, f)
		code, out, errOut := orchestrator(t, "watch", "shop")
		if code != want || !strings.Contains(out, "release done 0.1 s") || !strings.Contains(out, string(status)+" after") || errOut != "" {
			t.Errorf("%s: %d %q %q", status, code, out, errOut)
		}
	}
}

func TestSubmitAndDeleteWatch(t *testing.T) {
	for _, args := range [][]string{{"submit", "shop", "--watch"}, {"delete", "shop", "-w"}} {
		environment(t, &fakeIngest{states: []provision.State{shop("READY", "namespace")}})
		if code, out, errOut := orchestrator(t, args...); code != 0 || !strings.Contains(out, "READY after") {
			t.Errorf("%v: %d %q %q", args, code, out, errOut)
		}
	}
}

func TestShowAndList(t *testing.T) {
	environment(t, &fakeIngest{states: []provision.State{shop("READY", "namespace")}})
	if code, out, _ := orchestrator(t, "show", "shop"); code != 0 || !strings.Contains(out, "The store is up") {
		t.Error(code, out)
	}
	for _, format := range []string{"text", "table", "wide"} {
		if code, out, _ := orchestrator(t, "list", "-o", format); code != 0 || !strings.Contains(out, "shop.localhost") || strings.Contains(out, "GENERATION") != (format == "wide") {
			t.Error(format, code, out)
		}
	}
}

func TestOutputFlagPrintsJSON(t *testing.T) {
	for _, args := range [][]string{{"show", "shop"}, {"list"}, {"submit", "shop"}, {"submit", "shop", "-w"}, {"delete", "shop"}, {"watch", "shop"}} {
		environment(t, &fakeIngest{states: []provision.State{shop("READY", "namespace")}})
		code, out, _ := orchestrator(t, append(args, "-o", "json")...)
		decoder := json.NewDecoder(strings.NewReader(out))
		for documents := 0; ; documents++ {
			var v any
			err := decoder.Decode(&v)
			if err == io.EOF && documents > 0 && code == 0 {
				break
			}
			if err != nil {
				t.Fatalf("%v: %d %v in %q", args, code, err, out)
			}
		}
	}
}

func TestOutputFlagPrintsYAML(t *testing.T) {
	environment(t, &fakeIngest{states: []provision.State{shop("READY", "namespace")}})
	code, out, _ := orchestrator(t, "list", "-o", "yaml")
	var page provision.Page
	if err := yaml.Unmarshal([]byte(out), &page); code != 0 || err != nil || len(page.Stores) != 1 || page.Stores[0].Generation != 7 {
		t.Errorf("list: %d %v: %s", code, err, out)
	}
	code, out, _ = orchestrator(t, "submit", "shop", "-w", "-o", "yaml")
	if documents := strings.Count("\n"+out, "\n---\n"); code != 0 || documents < 3 || !strings.Contains(out, "\nstatus: READY\n") {
		t.Errorf("submit --watch: %d, %d documents: %s", code, documents, out)
	}
}

func TestRunExitCodesAndMessages(t *testing.T) {
	environment(t, &fakeIngest{})
	tests := []struct {
		args string
		code int
		say  string
	}{
		{"show shop", 1, "nothing is recorded about the store shop"},
		{"watch shop", 1, "nothing is recorded"},
		{"list", 0, ""},
		{"show", 2, "takes exactly one store id"},
		{"submit", 2, "or --file"},
		{"submit a --file x", 2, "not both"},
		{"submit --file x --host y", 2, "--host cannot be combined with --file"},
		{"submit --file /nowhere", 1, "no such file"},
		{"edit shop", 2, "edit needs a flag"},
		{"edit shop --engine medusa", 2, "unknown flag"},
		{"edit shop --title x", 1, "nothing is recorded about the store shop"},
		{"cancel", 2, "cancel takes store ids"},
		{"retry", 2, "or --failed, or --outdated, or --all"},
		{"retry shop --all", 2, "or --failed, or --outdated, or --all"},
		{"retry --all --code image", 2, "--code needs --failed"},
		{"retry a b --watch", 2, "--watch follows one store"},
		{"retry --all --rate 0", 2, "--rate must be above 0"},
		{"retry shop --force delete", 2, "it must be one of: apply upgrade verify"},
		{"list --bad", 2, "unknown flag"},
		{"list -o xml", 2, "must be table, wide, json or yaml"},
		{"show shop -o wide", 2, "must be text, json or yaml"},
		{"lisp", 2, "unknown command"},
	}
	for _, test := range tests {
		code, _, errOut := orchestrator(t, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(errOut, test.say) {
			t.Errorf("%s: %d %q, want %d %q", test.args, code, errOut, test.code, test.say)
		}
	}
}

func TestEveryCommandsExitCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Exit codes")
	for _, c := range newRoot().Commands() {
		if !strings.Contains(table, "`"+c.Name()) {
			t.Errorf("docs/cli.md does not say how %s ends", c.Name())
		}
	}
}

func TestNewClientReadsTheStateFolder(t *testing.T) {
	f := &fakeIngest{states: []provision.State{shop("READY")}}
	environment(t, f)
	url := os.Getenv("ORCHESTRATOR_URL")
	t.Setenv("ORCHESTRATOR_URL", "")
	t.Setenv("ORCHESTRATOR_TOKEN", "")
	dir, err := state.Dir(t.TempDir()).Make()
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := orchestrator(t, "list", "--state", string(dir)); code != 1 || !strings.Contains(errOut, "orchestrator up") {
		t.Error(code, errOut)
	}
	if err := dir.WriteClient(state.Client{URL: url, Token: "secret"}); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := orchestrator(t, "list", "--state", string(dir)); code != 0 || !strings.Contains(out, "shop") {
		t.Error(code, out, errOut)
	}
	info, err := os.Stat(dir.ClientFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// The stored token must not be sent to another service.
func TestNewClientSendsTheStoredTokenOnlyToItsService(t *testing.T) {
	f := &fakeIngest{}
	environment(t, f)
	t.Setenv("ORCHESTRATOR_TOKEN", "")
	dir, _ := state.Dir(t.TempDir()).Make()
	if err := dir.WriteClient(state.Client{URL: "http://127.0.0.1:1", Token: "secret"}); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := orchestrator(t, "list", "--state", string(dir))
	if code != 1 || !strings.Contains(errOut, "ORCHESTRATOR_TOKEN is not") || len(f.asked) > 0 {
		t.Error(code, errOut, f.asked)
	}
}

func TestNewRootExplainsEveryCommand(t *testing.T) {
	_, out, _ := orchestrator(t, "--help")
	for _, c := range newRoot().Commands() {
		if c.Name() != "completion" && !strings.Contains(out, c.Short) {
			t.Errorf("the help does not explain %s", c.Name())
		}
	}
}

func TestAdvisedSaysWhatToDo(t *testing.T) {
	environment(t, http.NotFoundHandler())
	if _, _, errOut := orchestrator(t, "show", "shop"); !strings.Contains(errOut, "check ORCHESTRATOR_URL") {
		t.Errorf("another server: %q", errOut)
	}
	environment(t, &fakeIngest{})
	t.Setenv("ORCHESTRATOR_TOKEN", "wrong")
	if _, _, errOut := orchestrator(t, "show", "shop"); !strings.Contains(errOut, "set ORCHESTRATOR_TOKEN") {
		t.Errorf("a wrong token: %q", errOut)
	}
	t.Setenv("ORCHESTRATOR_URL", "http://127.0.0.1:1")
	if _, _, errOut := orchestrator(t, "show", "shop"); !strings.Contains(errOut, "orchestrator up") {
		t.Errorf("no server: %q", errOut)
	}
}
