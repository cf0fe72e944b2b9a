//go:build devcluster || realcluster

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/cmd/internal/process"
	"orchestrator/cmd/testkit/redistest"
	"orchestrator/ingest/client"
	"orchestrator/provision"
)

const token = "e2e-token"

// soonEnough is what a store on simulated pods may take to its outcome.
const soonEnough = 2 * time.Minute

// rig is one installation of the service: a Redis, an ingest, a backend, and the workers that a test starts.
type rig struct {
	t        *testing.T
	redis    string
	api      string
	client   *client.Client
	backend  *backend
	ingest   *program
	env      []string
	patience time.Duration // for an outcome
}

// newRig starts all but workers; env is added to the environment of each of its processes.
func newRig(t *testing.T, env ...string) *rig {
	t.Helper()
	r := &rig{t: t, redis: redistest.Real(t), backend: newBackend(t), patience: soonEnough}
	addr := freeAddr(t)
	r.api = "http://" + addr
	var err error
	if r.client, err = client.New(r.api, token); err != nil {
		t.Fatal(err)
	}
	installation := "e2e-" + strings.ToLower(rand.Text()) // the tests of others leave its stores alone
	r.env = append(os.Environ(), "ORCH_INSTALLATION="+installation, "REDIS_URL="+r.redis, "ORCHESTRATOR_TOKEN="+token, "BACKEND_API_BASE="+r.backend.url,
		"KUBECONFIG="+must(t, "ORCH_TEST_KUBECONFIG"), "ORCH_ADDR="+addr, "ORCH_INGEST_ADMIN_ADDR=127.0.0.1:0",
		"ORCH_WORKER_ADMIN_ADDR=127.0.0.1:0", "ORCH_POLL_ATTEMPTS=12", "ORCH_QUEUE_POLL=50ms")
	r.env = append(r.env, env...)
	r.ingest = r.start("ingest", r.logLevel()...)
	r.eventually("ingest answers", soonEnough, func() bool {
		resp, err := http.Get(r.api + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return r
}

// logLevel keeps ingest's log short unless the test says otherwise.
func (r *rig) logLevel() []string {
	if slices.ContainsFunc(r.env, func(entry string) bool { return strings.HasPrefix(entry, "ORCH_LOG_LEVEL=") }) {
		return nil
	}
	return []string{"ORCH_LOG_LEVEL=warn"}
}

// program is one of the service's binaries under test.
type program struct {
	*process.Process
	t   *testing.T
	log bytes.Buffer
}

func (r *rig) start(name string, env ...string) *program {
	r.t.Helper()
	p := &program{t: r.t}
	var err error
	p.Process, err = process.Start(process.Spec{Name: name, Path: filepath.Join(must(r.t, "ORCH_TEST_BIN"), name),
		Env: append(slices.Clone(r.env), env...), Output: &p.log})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if r.t.Failed() {
			r.t.Logf("log of %s:\n%s", name, p.log.String())
		}
	})
	return p
}

// end sends a signal and waits until the process has ended.
func (p *program) end(signal syscall.Signal) {
	p.Signal(signal)
	select {
	case <-p.Done():
	case <-time.After(2 * time.Minute):
		p.t.Errorf("%s did not end after %s", p.Name, signal)
	}
}

func (r *rig) call(method, path string, body any) (int, []byte) {
	r.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			r.t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, r.api+path, bytes.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Orchestrator-Token", token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(resp.Body)
	return resp.StatusCode, answer.Bytes()
}

// cli runs a command of the operator and returns what it prints.
func (r *rig) cli(args ...string) string {
	r.t.Helper()
	command := exec.CommandContext(context.Background(), filepath.Join(must(r.t, "ORCH_TEST_BIN"), "orchestrator"), args...)
	command.Env = append(slices.Clone(r.env), "ORCHESTRATOR_URL="+r.api)
	text, err := command.CombinedOutput()
	if err != nil {
		r.t.Fatalf("orchestrator %s: %v: %s", strings.Join(args, " "), err, text)
	}
	return string(text)
}

func (r *rig) rollout() (o provision.Rollout) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.cli("rollout", "-o", "json")), &o); err != nil {
		r.t.Fatal(err)
	}
	return o
}

// awaitStatus returns the nth callback with the status.
func (r *rig) awaitStatus(store string, status provision.Status, nth int) callback {
	r.t.Helper()
	var found callback
	r.eventually(string(status)+" is delivered for "+store, r.patience, func() bool {
		n := 0
		for _, c := range r.backend.of(store) {
			switch c.Status {
			case status:
				n++
				found = c
			case provision.StatusFailed, provision.StatusDeleteFailed:
				r.t.Fatalf("the callback is %s: %s", c.Status, c.Error)
			}
		}
		return n >= nth
	})
	return found
}

// remove deletes the store and waits for DELETED.
func (r *rig) remove(id string) {
	r.t.Helper()
	if _, err := r.client.Delete(context.Background(), id, 0, client.Deletion{}); err != nil {
		r.t.Fatalf("DELETE: %v", err)
	}
	r.awaitStatus(id, provision.StatusDeleted, 1)
}

// submit posts a request and returns its generation. On a Redis that is new, nothing is accepted before a worker has
// compared it with the cluster.
func (r *rig) submit(req provision.Request) int64 {
	r.t.Helper()
	body, err := json.Marshal(req)
	if err != nil {
		r.t.Fatal(err)
	}
	var accepted client.Accepted
	r.eventually("the request is accepted", soonEnough, func() bool {
		if accepted, err = r.client.Submit(context.Background(), 0, body); err != nil && !client.IsTemporary(err) {
			r.t.Fatalf("POST: %v", err)
		}
		return err == nil
	})
	return accepted.Generation
}

func (r *rig) state(id string) provision.State {
	r.t.Helper()
	s, err := r.client.Store(context.Background(), id)
	if err != nil {
		r.t.Fatalf("GET: %v", err)
	}
	return s
}

// ask requests something of a store as its record has it.
func (r *rig) ask(id string, verb client.Verb) (accepted client.Accepted, err error) {
	return accepted, r.client.Change(context.Background(), id, 0, verb, nil, &accepted)
}

// refused reports whether the service has refused a request as this, with a text that has a word.
func refused(err error, kind client.Kind, word string) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Kind() == kind && strings.Contains(p.Detail, word)
}

// began reports whether a step of the store has begun.
func (r *rig) began(id, step string) bool {
	for _, s := range r.state(id).Steps {
		if s.Name == step {
			return true
		}
	}
	return false
}

func (r *rig) eventually(what string, within time.Duration, holds func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// store is a request for a store of its own.
func store(t *testing.T, engine string) provision.Request {
	id := strings.ToLower(fmt.Sprintf("e2e-%s-%d", engine[:3], time.Now().UnixNano()%1e12))
	return provision.Request{StoreID: id, Name: id, Engine: engine, Namespace: "store-" + id, Host: id + ".localhost",
		StoreURL: "https://" + id + ".localhost", CreatorID: t.Name(), Action: provision.OpProvision}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := process.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func must(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set; run `make integration`, or `make e2e` against a cluster of your own", variable)
	}
	return value
}
