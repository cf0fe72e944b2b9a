package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// fakeHolds is an ingest where the stores of one engine wait, until they are released.
type fakeHolds struct{ released bool }

func (f *fakeHolds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /holds/eu/medusa/release":
		f.released = true
	case "GET /holds":
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"title":"No store waits there","status":404,"detail":"no store of engine x waits on cluster eu"}`)
		return
	}
	holds := []provision.Hold{{Cluster: "eu", Engine: "medusa", Code: provision.CodeImage, Error: "image medusa:9 cannot be pulled", Since: time.Now().Add(-3 * time.Minute), Stores: 12}}
	if f.released {
		holds = holds[:0]
	}
	_ = json.NewEncoder(w).Encode(provision.Holds{Holds: holds})
}

func TestHolds(t *testing.T) {
	f := &fakeHolds{}
	environment(t, f)
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"holds", 0, "eu       medusa  12       3m00s ago  image: image medusa:9 cannot be pulled"},
		{"holds -o json", 0, `"stores":12`},
		{"holds release eu", 2, "takes the name of a cluster and of an engine"},
		{"holds release eu x", 1, "no store of engine x waits on cluster eu"},
		{"holds release eu medusa", 0, "No stores wait."},
		{"holds", 0, "No stores wait."},
	} {
		code, out, errOut := orchestrator(t, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out+errOut, test.says) {
			t.Errorf("%s: exit code %d: %s%s", test.args, code, out, errOut)
		}
	}
}
