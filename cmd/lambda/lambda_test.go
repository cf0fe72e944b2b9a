package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/cmd/lambda/internal/drain"
	"orchestrator/cmd/testkit/redistest"
)

const (
	aSchedule = `{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events","detail":{}}`
	aDrain    = `{"drain":true}`
	enough    = drain.MinMargin + patience
)

func TestFunctionRunsStoresOfEveryKindOfRequest(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	s := launch(t, environment(redistest.Real(t), b.URL, "ORCH_MOCK=1")...)
	if status, body := s.request("function URL", http.MethodPost, "/", shop("a", "medusa")); status != http.StatusServiceUnavailable {
		t.Fatalf("before the first drain a POST answered %d %s", status, body)
	}
	if r := s.drain(aDrain, enough); r.Ended != "idle" || len(r.Runs) != 0 {
		t.Errorf("with nothing to do: %+v", r)
	}
	ways := map[string]string{"REST API": "a", "HTTP API": "b", "function URL": "c"}
	for way, store := range ways {
		if status, body := s.request(way, http.MethodPost, "/orchestrate", shop(store, "medusa")); status != http.StatusAccepted {
			t.Errorf("POST by %s answered %d %s", way, status, body)
		}
		if status, _ := s.request(way, http.MethodGet, "/healthz", ""); status != http.StatusOK {
			t.Errorf("/healthz by %s answered %d", way, status)
		}
	}
	r := s.drain(aSchedule, enough)
	if r.Ended != "idle" || r.Runs["provision READY"] != 3 || r.Callbacks["READY delivered"] != 3 || r.Left["provision"].Pending+r.Left["callback"].Pending != 0 {
		t.Errorf("%+v", r)
	}
	for way, store := range ways {
		if status, body := s.request(way, http.MethodGet, "/stores/"+store, ""); status != http.StatusOK || !strings.Contains(body, `"READY"`) {
			t.Errorf("by %s it is shown %d %s", way, status, body)
		}
		if status, body := s.request(way, http.MethodGet, "/stores?limit=2", ""); status != http.StatusOK || strings.Count(body, `"store_id"`) != 2 {
			t.Errorf("by %s the list is %d %s", way, status, body)
		}
		s.live(way, store)
		s.operate(way)
		if status, body := s.request(way, http.MethodDelete, "/stores/"+store, ""); status != http.StatusAccepted {
			t.Errorf("DELETE by %s answered %d %s", way, status, body)
		}
		if status, _ := s.request(way, http.MethodPut, "/stores/"+store, "{}"); status != http.StatusMethodNotAllowed {
			t.Errorf("PUT by %s answered %d", way, status)
		}
		if r := s.drain(aDrain, enough); r.Runs["delete DELETED"] != 1 {
			t.Errorf("%+v", r)
		}
	}
	var want []string
	for _, store := range []string{"a", "b", "c"} {
		for _, status := range []string{"DELETED", "FAILED", "READY", "READY", "READY", "SUSPENDED"} {
			want = append(want, store+" "+status)
		}
	}
	if received := b.all(); !slices.Equal(received, want) {
		t.Errorf("received %q, want %q", received, want)
	}
}

// operate asks for what is about many stores. What the function cannot do is refused with the reason.
func (s *sandbox) operate(way string) {
	s.t.Helper()
	for _, step := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{http.MethodGet, "/holds", "", http.StatusOK, `"holds":[]`},
		{http.MethodGet, "/findings?kind=unwell", "", http.StatusOK, `"stores":[]`},
		{http.MethodPost, "/creators/c/quota", `{"most":3}`, http.StatusOK, `"most":3`},
		{http.MethodPost, "/rollout", `{"engine":"medusa"}`, http.StatusUnprocessableEntity, "AWS Lambda"},
		{http.MethodGet, "/rollout", "", http.StatusNotFound, "no rollout"},
	} {
		if status, body := s.request(way, step.method, step.path, step.body); status != step.status || !strings.Contains(body, step.says) {
			s.t.Errorf("%s %s by %s answered %d %s", step.method, step.path, way, status, body)
		}
	}
}

// live does with a store that is READY whatever may be done with it, but for deleting it.
func (s *sandbox) live(way, store string) {
	s.t.Helper()
	for _, step := range []struct {
		verb, body string
		status     int
		run        string // that a drain then runs
	}{
		{"/suspend", `{"reason":"unpaid"}`, http.StatusAccepted, "provision SUSPENDED"},
		{"/resume", "", http.StatusAccepted, "provision READY"},
		{"/rotate", "", http.StatusAccepted, "provision READY"},
		{"/restore", "", http.StatusConflict, ""}, // it has no backup
		{"/cancel", "", http.StatusConflict, ""},
		{"/retry", `{"force":["verify"]}`, http.StatusAccepted, ""},
		{"/cancel", "", http.StatusOK, "none"},
		{"/protect", "", http.StatusOK, ""},
		{"", "", http.StatusConflict, ""},
		{"/unprotect", "", http.StatusOK, ""},
	} {
		method := http.MethodPost
		if step.verb == "" {
			method = http.MethodDelete
		}
		if status, body := s.request(way, method, "/stores/"+store+step.verb, step.body); status != step.status {
			s.t.Errorf("%s %s by %s answered %d %s, want %d", method, step.verb, way, status, body, step.status)
		}
		if step.run == "" {
			continue
		}
		if r := s.drain(aDrain, enough); r.Runs[step.run] != 1 && step.run != "none" {
			s.t.Errorf("after %s a drain ran %+v", step.verb, r)
		}
	}
}

func TestFunctionFailsUnhandledEvents(t *testing.T) {
	t.Parallel()
	s := launch(t, environment("redis://127.0.0.1:1", "http://127.0.0.1:1", "ORCH_MOCK=1")...)
	for payload, want := range map[string]string{
		`{"Records":[{"eventSource":"aws:sqs"}]}`: "aws:sqs",
		`{"drain":`:       "not a JSON object",
		`{"drain":false}`: "with the value false",
		aDrain:            "Redis does not answer",
	} {
		if r := s.invoke(payload, enough); !r.failed || !bytes.Contains(r.body, []byte(want)) {
			t.Errorf("%s answered %s", payload, r.body)
		}
	}
	if r := s.invoke(aDrain, drain.MinMargin); !r.failed || !bytes.Contains(r.body, []byte("timeout is too short")) {
		t.Errorf("a short timeout answered %s", r.body)
	}
	if status, _ := s.request("function URL", http.MethodGet, "/healthz", ""); status != http.StatusOK {
		t.Errorf("after that /healthz answered %d", status)
	}
}

func TestFunctionDeliversEachOutcomeOnceWithTwoDrains(t *testing.T) {
	t.Parallel()
	const stores = 20
	b := newBackend(t)
	env := environment(redistest.Real(t), b.URL, "ORCH_MOCK=1")
	one, two := launch(t, env...), launch(t, env...)
	one.drain(aDrain, enough)
	var want []string
	for i := range stores {
		id := fmt.Sprintf("s%02d", i)
		if status, body := one.request("function URL", http.MethodPost, "/", shop(id, "woocommerce")); status != http.StatusAccepted {
			t.Fatalf("POST answered %d %s", status, body)
		}
		want = append(want, id+" READY")
	}
	reports := make([]report, 2)
	var both sync.WaitGroup
	for i, s := range []*sandbox{one, two} {
		both.Go(func() { reports[i] = s.drain(aDrain, enough) })
	}
	both.Wait()
	if received := b.all(); !slices.Equal(received, want) {
		t.Errorf("received %q", received)
	}
	if runs := reports[0].Runs["provision READY"] + reports[1].Runs["provision READY"]; runs != stores {
		t.Errorf("%d stores took %d runs: %+v", stores, runs, reports)
	}
	t.Logf("one ran %d, the other %d", reports[0].Runs["provision READY"], reports[1].Runs["provision READY"])
}

func TestADrainWritesItsMetricsForCloudWatch(t *testing.T) {
	t.Parallel()
	b := newBackend(t)
	var s *sandbox
	t.Cleanup(func() { // after the function has ended
		for _, want := range []string{`"Namespace":"Shops"`, `"outcomes_total":1,"status":"READY"`, `"time_to_ready_seconds_count":1`, `"callbacks_pending":0`} {
			if !strings.Contains(s.log.String(), want) {
				t.Errorf("the log lacks %s", want)
			}
		}
	})
	s = launch(t, environment(redistest.Real(t), b.URL, "ORCH_MOCK=1", "ORCH_LAMBDA_METRICS=Shops")...)
	s.drain(aDrain, enough) // which finds that there are no records to recover
	if status, body := s.request("function URL", http.MethodPost, "/", shop("a", "medusa")); status != http.StatusAccepted {
		t.Fatalf("POST answered %d %s", status, body)
	}
	if r := s.drain(aDrain, enough); r.Runs["provision READY"] != 1 {
		t.Errorf("%+v", r)
	}
}

func TestFunctionColdStart(t *testing.T) {
	s := launch(t, environment("redis://127.0.0.1:1", "http://127.0.0.1:1", "ORCH_MOCK=1")...)
	var first time.Duration
	select {
	case at := <-s.polled:
		first = at.Sub(s.begun)
	case <-time.After(patience):
		t.Fatal("the function asked for no event")
	}
	asked := time.Now()
	if status, _ := s.request("function URL", http.MethodGet, "/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz answered %d", status)
	}
	t.Logf("from exec to the first poll %s, the first answer took %s", first, time.Since(asked))
}

func TestConfigReportsAllMistakesAtOnce(t *testing.T) {
	cmd := exec.Command(bootstrap(t))
	cmd.Env = environment("redis://127.0.0.1:1", "http://127.0.0.1:1", "ORCH_LAMBDA_MARGIN=30s", "ORCH_LAMBDA_IDLE=1ms", "ORCH_LAMBDA_BASE_PATH=x",
		"ORCH_EKS_CLUSTER=shops", "ORCH_KUBECONFIG_DATA=!")
	said, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 2 {
		t.Fatalf("it ended with %v: %s", err, said)
	}
	for _, name := range []string{"AWS_LAMBDA_RUNTIME_API", "ORCH_LAMBDA_MARGIN", "ORCH_LAMBDA_IDLE", "ORCH_LAMBDA_BASE_PATH", "ORCH_EKS_ENDPOINT", "ORCH_KUBECONFIG_DATA"} {
		if !bytes.Contains(said, []byte(name)) {
			t.Errorf("nothing is said about %s:\n%s", name, said)
		}
	}
}
