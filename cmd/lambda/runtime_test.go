package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/provision"
)

// patience is the limit for what takes a second on an idle machine.
const patience = 2 * time.Minute

const token = "lambda-token"

// bootstrap returns the binary under test: ORCH_TEST_BOOTSTRAP, such as the deployed one, or one that is built once per run.
func bootstrap(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("ORCH_TEST_BOOTSTRAP"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(buildDir, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", path, ".") // linked as the deployed one
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build of the bootstrap: %w\n%s", err, said)
	}
	return path, nil
})

var buildDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if buildDir, err = os.MkdirTemp("", "bootstrap"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(buildDir)
		return m.Run()
	}())
}

// invocation is one event and its result.
type invocation struct {
	payload  string
	deadline time.Time
	result   chan result
}

type result struct {
	failed bool
	body   []byte
}

// sandbox is Lambda's side of one function: its runtime API, and the process that polls it for events.
type sandbox struct {
	t      *testing.T
	events chan invocation
	polled chan time.Time // the first time that an event was asked for
	once   sync.Once
	begun  time.Time
	log    bytes.Buffer

	mu      sync.Mutex
	pending map[string]invocation
}

// launch starts the function with this environment only.
func launch(t *testing.T, env ...string) *sandbox {
	t.Helper()
	s := &sandbox{t: t, events: make(chan invocation), polled: make(chan time.Time, 1), pending: map[string]invocation{}}
	api := httptest.NewServer(s)
	cmd := exec.Command(bootstrap(t))
	cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"), "AWS_LAMBDA_FUNCTION_NAME=orchestrator", "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	s.begun = time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		api.CloseClientConnections()
		api.Close()
		if t.Failed() {
			t.Logf("log of the function:\n%s", s.log.String())
		}
	})
	return s
}

// ServeHTTP is the Runtime API.
func (s *sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/2018-06-01/runtime/invocation/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if path == "next" {
		s.next(w, r)
		return
	}
	id, what, _ := strings.Cut(path, "/")
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	i, known := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if !known {
		s.t.Errorf("a response to an invocation that is over: %s", r.URL)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	i.result <- result{failed: what == "error", body: body}
}

func (s *sandbox) next(w http.ResponseWriter, r *http.Request) {
	s.once.Do(func() { s.polled <- time.Now() })
	select {
	case <-r.Context().Done():
	case i := <-s.events:
		id := strconv.FormatInt(time.Now().UnixNano(), 36)
		s.mu.Lock()
		s.pending[id] = i
		s.mu.Unlock()
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:orchestrator")
		_, _ = io.WriteString(w, i.payload)
	}
}

// invoke sends an event to the function, with this timeout, and returns the result.
func (s *sandbox) invoke(payload string, timeout time.Duration) result {
	s.t.Helper()
	i := invocation{payload: payload, deadline: time.Now().Add(timeout), result: make(chan result, 1)}
	select {
	case s.events <- i:
	case <-time.After(patience):
		s.t.Fatal("the function asked for no event")
	}
	select {
	case r := <-i.result:
		return r
	case <-time.After(timeout):
		s.t.Fatalf("the invocation was cut off after %s", timeout)
	}
	return result{}
}

// report is the response of a drain.
type report struct {
	Ended           string
	Runs, Callbacks map[string]int
	Left            map[string]struct {
		Pending int
		Active  int `json:"active"`
		Retry   int
	}
}

func (s *sandbox) drain(payload string, timeout time.Duration) (r report) {
	s.t.Helper()
	answered := s.invoke(payload, timeout)
	if err := json.Unmarshal(answered.body, &r); err != nil || answered.failed {
		s.t.Fatalf("a drain answered %s", answered.body)
	}
	return r
}

// request sends an HTTP request as one of the gateways does that can call a function.
func (s *sandbox) request(way, method, path, body string) (status int, text string) {
	s.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	header := map[string]string{"x-orchestrator-token": token, "content-type": "application/json"}
	event := map[string]any{"headers": header, "body": body}
	switch way {
	case "REST API":
		event["httpMethod"], event["path"] = method, path
		event["queryStringParameters"] = parameters(query)
		event["requestContext"] = map[string]any{"stage": "prod", "path": "/prod" + path, "identity": map[string]any{"sourceIp": "192.0.2.7"}}
	case "HTTP API", "function URL":
		stage, prefix := "$default", ""
		if way == "HTTP API" {
			stage, prefix = "prod", "/prod"
		}
		event["version"], event["rawPath"], event["rawQueryString"] = "2.0", prefix+path, query
		event["requestContext"] = map[string]any{"stage": stage, "http": map[string]any{"method": method, "path": path, "sourceIp": "192.0.2.7", "protocol": "HTTP/1.1"}}
	}
	payload, _ := json.Marshal(event)
	answered := s.invoke(string(payload), patience)
	var a struct {
		StatusCode int
		Body       string
	}
	if err := json.Unmarshal(answered.body, &a); err != nil || answered.failed {
		s.t.Fatalf("%s %s by %s answered %s", method, path, way, answered.body)
	}
	return a.StatusCode, a.Body
}

// parameters is a query as REST APIs hand it on; they send null for none.
func parameters(query string) map[string]string {
	if query == "" {
		return nil
	}
	all := map[string]string{}
	for _, one := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(one, "=")
		all[name] = value
	}
	return all
}

// environment returns the variables of a function with this Redis and backend.
func environment(redis, backend string, more ...string) []string {
	return append([]string{"REDIS_URL=" + redis, "ORCHESTRATOR_TOKEN=" + token, "BACKEND_API_BASE=" + backend, "ORCH_LAMBDA_IDLE=2s", "ORCH_QUEUE_POLL=50ms"}, more...)
}

// backend records callbacks as "store STATUS".
type backend struct {
	*httptest.Server
	mu       sync.Mutex
	received []string
}

func newBackend(t *testing.T) *backend {
	b := &backend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var c struct{ Status string }
		_ = json.NewDecoder(r.Body).Decode(&c)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.received = append(b.received, strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/stores/"), "/status")+" "+c.Status)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(slices.Values(b.received))
}

func shop(id, engine string) string {
	text, _ := json.Marshal(provision.Request{Action: provision.OpProvision, StoreID: id, Name: id, Engine: engine, Namespace: "store-" + id, Host: id + ".localhost", StoreURL: "https://" + id + ".localhost"})
	return string(text)
}
