package ingest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"orchestrator/provision"
)

// lines returns the log lines of a rig about requests.
func (r *rig) lines(t *testing.T) []map[string]any { t.Helper(); return r.logged(t, "request") }

// logged returns the log lines of a rig with a message.
func (r *rig) logged(t *testing.T, message string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(r.log.String()) {
		line := map[string]any{}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("a log line is not JSON: %v: %s", err, text)
		}
		if line["msg"] == message {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestObserveLogsOneLinePerRequest(t *testing.T) {
	r := newRig(t, &fake{})
	r.send("POST", "/orchestrate", store(nil), "X-Request-Id", "req-7")
	lines := r.lines(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines: %s", len(lines), r.log)
	}
	for key, want := range map[string]any{
		"level": "INFO", "msg": "request", "request_id": "req-7", "method": "POST", "route": "/orchestrate", "status": 202.,
		"store_id": "s-1", "generation": 1700000000123., "task_id": "1700000000123.s-1", "joined": false, "ip": "192.0.2.1",
	} {
		if lines[0][key] != want {
			t.Errorf("%s is %v, want %v", key, lines[0][key], want)
		}
	}
	if _, ok := lines[0]["ms"].(float64); !ok {
		t.Errorf("no duration: %v", lines[0])
	}
}

func TestLogContainsNeitherTokenNorBodyNorPath(t *testing.T) {
	for _, send := range []func(*rig){
		func(r *rig) { r.send("POST", "/", store(map[string]any{"creator_id": "S3CRET"})) },
		func(r *rig) {
			r.send("POST", "/", store(map[string]any{"namespace": "kube-S3CRET", "engine": "S3CRET"}))
		},
		func(r *rig) { r.send("POST", "/", `{"S3CRET":1,"S3CRET":2}`) },
		func(r *rig) { r.send("POST", "/", `S3CRET`) },
		func(r *rig) { r.send("POST", "/", store(nil), tokenHeader, "S3CRET") },
		func(r *rig) { r.send("POST", "/", store(map[string]any{"store_id": "S3CRET!"})) },
		func(r *rig) { r.send("GET", "/S3CRET", "") },
		func(r *rig) { r.send("GET", "/stores/S3CRET!", "") },
		func(r *rig) { r.send("GET", "/stores?cursor=S3CRET", "") },
		func(r *rig) { r.send("GET", "/dead-letters?cursor=S3CRET", "") },
		func(r *rig) { r.send("POST", "/dead-letters/S3CRET.1.a/replay", "") },
		func(r *rig) { r.send("POST", "/dead-letters/1.1.S3CRET!/replay", "") },
	} {
		r := newRig(t, &fake{})
		send(r)
		if text := r.log.String(); strings.Contains(text, "S3CRET") || strings.Contains(text, testToken) || len(r.lines(t)) != 1 {
			t.Errorf("the log is %s", text)
		}
	}
}

func TestLogContainsTheCauseAndTheFields(t *testing.T) {
	r := newRig(t, &fake{err: provision.Wrap(provision.CodeUnavailable, errors.New("dial tcp: refused"), "Redis does not answer")})
	r.send("POST", "/", store(nil))
	r.send("POST", "/", store(map[string]any{"host": "a_b", "name": "B"}))
	lines := r.lines(t)
	if text, _ := lines[0]["error"].(string); !strings.Contains(text, "dial tcp: refused") || lines[0]["level"] != "WARN" || lines[0]["store_id"] != "s-1" {
		t.Errorf("%v", lines[0])
	}
	if lines[1]["fields"] != "name host store_url" || lines[1]["problem"] != "invalid" {
		t.Errorf("%v", lines[1])
	}
}

func TestRequestIDIsTheCallersIfValid(t *testing.T) {
	for id, kept := range map[string]bool{
		"req-7": true, "0b8f3c1e-7d52-4a57-9a39-0d8a1e9f5c11": true, strings.Repeat("a", 128): true,
		"-": false, "": false, "a b": false, "a\nb": false, "<script>": false, "a:b": false, "../x": false, strings.Repeat("a", 129): false,
	} {
		r := newRig(t, &fake{})
		a := r.send("POST", "/", "", "X-Request-Id", id)
		got := a.header.Get("X-Request-Id")
		if (got == id) != kept || !saneID.MatchString(got) || a.body["instance"] != got || r.lines(t)[0]["request_id"] != got {
			t.Errorf("id %q became %q, instance %v", id, got, a.body["instance"])
		}
	}
	r := newRig(t, &fake{})
	if a, b := r.send("GET", "/healthz", ""), r.send("GET", "/healthz", ""); a.header.Get("X-Request-Id") == b.header.Get("X-Request-Id") {
		t.Error("two requests got the same id")
	}
}

func TestObserveTurnsAPanicIntoAProblemAndLogsItsStack(t *testing.T) {
	for _, value := range []any{"hunter2", errors.New("hunter2"), []int{1}} {
		r := newRig(t, &fake{panics: value})
		a := r.send("POST", "/", store(nil))
		if a.status != 500 || a.header.Get("Content-Type") != "application/problem+json" || strings.Contains(a.raw, "hunter2") {
			t.Errorf("%d %s", a.status, a.raw)
		}
		line := r.lines(t)[0]
		if stack, _ := line["stack"].(string); !strings.Contains(stack, "fake_test.go") || line["level"] != "ERROR" || line["store_id"] != "s-1" {
			t.Errorf("%v", line)
		}
	}
}

func TestObservePassesOnAnAbortedHandler(t *testing.T) {
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
	}()
	newRig(t, &fake{panics: http.ErrAbortHandler}).send("POST", "/", store(nil))
}

func TestLevelOfProbesIsDebugUnlessTheyFail(t *testing.T) {
	r := newRig(t, &fake{})
	r.send("GET", "/healthz", "")
	r.send("GET", "/readyz", "")
	r.err = errors.New("refused")
	r.send("GET", "/readyz", "")
	var levels []any
	for _, line := range r.lines(t) {
		levels = append(levels, line["level"])
	}
	if len(levels) != 3 || levels[0] != "DEBUG" || levels[1] != "DEBUG" || levels[2] != "WARN" {
		t.Errorf("levels %v", levels)
	}
}

func TestMeasureCountsByRouteAndStatus(t *testing.T) {
	r := newRig(t, &fake{})
	r.send("POST", "/", store(nil))
	r.send("POST", "/", "{}")
	r.send("GET", "/stores/s-1", "")
	r.send("GET", "/stores/s-2", "")
	for _, path := range []string{"/a", "/b", "/c/d", "/healthz/x"} {
		r.send("GET", path, "")
		r.send("BREW", path, "")
	}
	r.send("BREW", "/healthz", "")
	// POST / twice, and twice at 0, GET /stores/:store_id once, unmatched with 404 and with 405.
	if got := testutil.CollectAndCount(r.metrics, "orchestrator_http_request_duration_seconds"); got != 7 {
		t.Errorf("%d series, want 7", got)
	}
}
