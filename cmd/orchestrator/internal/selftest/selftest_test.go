package selftest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/view"
	"orchestrator/cmd/orchestrator/internal/watcher"
	api "orchestrator/ingest/client"
	"orchestrator/provision"
)

// fake is a service and its cluster. Each request is done at once. A test can make it misbehave.
type fake struct {
	mu         sync.Mutex
	generation int64
	states     map[string]provision.State
	calls      []backend.Callback

	fails, silent         bool
	changesPassword       bool
	upgrades, keeps       bool
	secondID, cleanUpOnly bool
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := strings.TrimPrefix(r.URL.Path, "/stores/")
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(f.states[id])
		return
	}
	request := provision.Request{StoreID: id, Action: provision.OpDelete}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &request)
	}
	f.carryOut(request)
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"store_id":%q,"action":%q,"generation":%d}`, request.StoreID, request.Action, f.generation)
}

func (f *fake) carryOut(r provision.Request) {
	f.generation++
	state := provision.State{StoreID: r.StoreID, Action: r.Action, Generation: f.generation, Status: r.Action.Success(), AcceptedAt: time.Now(), DecidedAt: time.Now()}
	call := backend.Callback{At: time.Now(), StoreID: r.StoreID, Generation: f.generation, Status: state.Status, WebhookID: fmt.Sprint(f.generation, ".1.", r.StoreID)}
	if r.Action == provision.OpProvision {
		call.URL, call.Password = r.StoreURL, "password of "+r.StoreID
		if f.changesPassword {
			call.Password += fmt.Sprint(f.generation)
		}
	}
	if f.fails {
		state.Status, call = provision.StatusFailed, backend.Callback{StoreID: r.StoreID, Generation: f.generation, Status: provision.StatusFailed, Error: "no", WebhookID: "x"}
	}
	f.states[r.StoreID] = state
	if f.silent {
		return
	}
	f.calls = append(f.calls, call)
	if f.secondID {
		call.WebhookID += "again"
		f.calls = append(f.calls, call)
	}
}

func (f *fake) Callbacks() []backend.Callback {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]backend.Callback(nil), f.calls...)
}

func (f *fake) Release(_ context.Context, _, name string) (kube.Release, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.upgrades {
		return kube.Release{Revision: int(f.generation), Status: "deployed"}, nil
	}
	return kube.Release{Revision: 1, Status: "deployed", ResourceVersion: "7" + name}, nil
}

func (f *fake) HasNamespace(context.Context, string) (bool, error) { return f.keeps, nil }

func run(t *testing.T, f *fake) (*Report, error) {
	t.Helper()
	f.states = map[string]provision.State{}
	server := httptest.NewServer(f)
	defer server.Close()
	client, err := api.New(server.URL, "t")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), 5*time.Second, errors.New("too late"))
	defer cancel()
	if f.silent {
		ctx, cancel = context.WithTimeoutCause(ctx, 50*time.Millisecond, errors.New("too late"))
		defer cancel()
	}
	script := &Script{API: client, Callbacks: f.Callbacks, Cluster: f, PollInterval: time.Millisecond, OnPart: func(string) {}, OnCallback: func(backend.Callback) {}, OnEvent: func(watcher.Event) {},
		Stores: []provision.Request{
			{StoreID: "a", Name: "a", Namespace: "store-a", StoreURL: "http://a", Action: provision.OpProvision},
			{StoreID: "b", Name: "b", Namespace: "store-b", StoreURL: "http://b", Action: provision.OpProvision},
		}}
	if f.cleanUpOnly {
		return &Report{}, script.CleanUp(ctx)
	}
	return script.Run(ctx)
}

func TestScriptPassesOnAServiceThatWorks(t *testing.T) {
	report, err := run(t, &fake{})
	if err != nil || !report.Passed() || len(report.Requests) != 5 || len(report.Checks) != 11 {
		t.Fatalf("%v, %d requests, %d checks\n%s", err, len(report.Requests), len(report.Checks), strings.Join(report.Lines(view.Style{}), "\n"))
	}
	text := strings.Join(report.Lines(view.Style{}), "\n")
	for _, want := range []string{"b      delete     DELETED", "5.1.b", "revision 1 deployed (7a), then revision 1 deployed (7a)", "the API server answers 404"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "password of") {
		t.Error("the report shows passwords")
	}
}

func TestScriptReportsChecksThatFail(t *testing.T) {
	for want, f := range map[string]*fake{
		"a is READY, with a password":      {fails: true},
		"b has the same password":          {changesPassword: true},
		"a has the same Helm release":      {upgrades: true},
		"namespace store-b is gone":        {keeps: true},
		"each outcome has one callback id": {secondID: true},
	} {
		report, err := run(t, f)
		failed := ""
		for _, c := range report.Checks {
			if !c.Passed {
				failed += c.What + "\n"
			}
		}
		if err != nil || report.Passed() || !strings.Contains(failed, want) {
			t.Errorf("%q is not reported: %v\n%s", want, err, failed)
		}
	}
}

func TestScriptEndsWithoutCallbacks(t *testing.T) {
	report, err := run(t, &fake{silent: true})
	if err == nil || !strings.Contains(err.Error(), "too late") || !strings.Contains(err.Error(), "no callback about a, whose status is READY") || report.Passed() {
		t.Error(err)
	}
}

func TestCleanUpDeletesEverything(t *testing.T) {
	f := &fake{cleanUpOnly: true}
	if _, err := run(t, f); err != nil || len(f.calls) != 2 || f.calls[1].Status != provision.StatusDeleted {
		t.Errorf("%v, %+v", err, f.calls)
	}
}
