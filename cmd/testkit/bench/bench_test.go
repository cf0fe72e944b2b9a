package main

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/bench/stores"
	"orchestrator/provision"
	"orchestrator/provision/engine"
)

func TestFlagsChooseSections(t *testing.T) {
	for args, want := range map[string][]string{
		"":                   sectionNames(),
		"--only idle,burst":  {"idle", "burst"},
		"--short":            {"burst"},
		"--short --only all": {"burst"},
	} {
		b, err := parse(strings.Fields(args))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range b.sections {
			got = append(got, s.name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q runs %v, want %v", args, got, want)
		}
	}
	for _, args := range []string{"--only nothing", "--stores 0", "--rounds 0", "--workers 1,x", "--workers 0", "--no-such-flag"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// rowValue is the value of a row; a row that is missing fails the test.
func rowValue(t *testing.T, rows []figures.Row, name string) float64 {
	t.Helper()
	i := slices.IndexFunc(rows, func(r figures.Row) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("there is no row %q", name)
	}
	return rows[i].Value
}

// Two stores in ten seconds: what is counted is divided by the stores, less what the cluster does by itself.
func TestRowsAreOfAStore(t *testing.T) {
	begun := time.Now()
	at := [3]reading{
		{at: begun, requests: figures.Counts{"GET": 100}},
		{at: begun.Add(5 * time.Second), requests: figures.Counts{"GET": 110, "POST": 5}, storage: 1e6, control: figures.Counts{"etcd": 1, "kwok": 1},
			machine: 100, own: usage{cpu: 1}, counters: counters{processes: map[string]usage{"worker": {cpu: 2, peak: 50}, "redis": {cpu: 1}}, sent: figures.Counts{"GET pods": 10}, redisCommands: 50}},
		{at: begun.Add(15 * time.Second), requests: figures.Counts{"GET": 170, "POST": 65}, storage: 2e6, control: figures.Counts{"etcd": 2, "kwok": 4},
			machine: 110, own: usage{cpu: 1.5}, counters: counters{processes: map[string]usage{"worker": {cpu: 3, peak: 70}, "redis": {cpu: 1.5}}, sent: figures.Counts{"GET pods": 80, "POST pods": 10}, redisCommands: 250}},
	}
	rows := rowsOf([]float64{10, 6}, at)
	for name, want := range map[string]float64{
		rowRate: 0.2, rowP50: 10, rowP95: 10, rowOrder: 1, rowCPU: 0.75, "– of worker": 0.5, "– of redis": 0.25, rowWorker: 70,
		"API requests/store, all": 45, // GET: 60 less 20 of the cluster's own; POST: 60 less 10
		rowRequests:               40, "its own: GET pods": 35, "its own: POST pods": 5, "– GET": 20, "– POST": 25, rowCommands: 100, "etcd KB/store, with its history of five minutes": 500,
		"control plane's CPU-s/store": 2, "CPU-s/store of both": 2.75, "– of etcd": 0.5, "– of kwok": 1.5,
	} {
		if got := rowValue(t, rows, name); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := rowValue(t, rows, "peak MB, helm"); !math.IsNaN(got) {
		t.Errorf("a process that the way does not have is %v", got)
	}
	if got, want := rowValue(t, rows, rowOthers), 100*4/processors/10; math.Abs(got-want) > 1e-9 { // 10 s less 4 of the cluster, 1.5 of the way, 0.5 of the bench
		t.Errorf("other things were %v %% of the machine, want %v", got, want)
	}
}

// A table of all rows has each once for a way, so that no median mixes two.
func TestRowsHaveDifferentNames(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range rowsOf([]float64{1}, [3]reading{}) {
		if seen[row.Name] {
			t.Errorf("there are two rows %q", row.Name)
		}
		seen[row.Name] = true
	}
}

// What kubectl creates is valid, and has every credential that pods of the chart read.
func TestNamespaceWithSecret(t *testing.T) {
	r := stores.Request("s-1")
	release, err := engine.All()[r.Engine].Release(provision.Store{Generation: 1, Request: r})
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(namespaceWithSecret(r, release), "\n")
	var secret struct {
		Metadata   struct{ Name, Namespace string }
		StringData map[string]string
	}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(strings.ReplaceAll(text, `"apiVersion":"v1",`, ""), `"kind":"Secret",`, "")), &secret); err != nil {
		t.Fatal(err)
	}
	if secret.Metadata.Name != provision.CredentialsSecret || secret.Metadata.Namespace != r.Namespace || len(secret.StringData) != len(release.Credentials) {
		t.Errorf("the Secret is %+v", secret)
	}
}

func TestBackendKnowsWhatWasDelivered(t *testing.T) {
	b, err := startBackend()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	send := func(id string, body map[string]string) {
		t.Helper()
		text, _ := json.Marshal(body)
		b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/api/stores/"+id+"/status", strings.NewReader(string(text))))
	}
	send("s-1", map[string]string{"status": "READY", "password": "x"})
	send("s-2", map[string]string{"status": "READY"})
	send("s-2", map[string]string{"status": "DELETED"})
	send("warm-1", map[string]string{"status": "READY"})
	ready, err := b.delivered(provision.StatusReady, "s-")
	if len(ready) != 2 || err != nil {
		t.Errorf("READY was delivered for %v, %v", ready, err)
	}
	send("s-3", map[string]string{"status": "FAILED", "error": "no node"})
	if _, err := b.delivered(provision.StatusReady, "s-"); err == nil || !strings.Contains(err.Error(), "s-3") || !strings.Contains(err.Error(), "no node") {
		t.Errorf("a failure is %v", err)
	}
}
