package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"orchestrator/provision"
)

// fakeFindings is an ingest that lists two drifted stores on two pages, and an outdated one.
type fakeFindings struct{ none bool }

func (f *fakeFindings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := provision.Page{Stores: []provision.State{}}
	switch query := r.URL.Query(); {
	case f.none:
	case query.Get("kind") == "unwell":
	case query.Get("kind") == "outdated":
		page.Stores = []provision.State{{StoreID: "old", Engine: "medusa", Edition: "ab12", Outdated: true}}
	case query.Get("cursor") == "":
		page.Stores, page.Next = []provision.State{{StoreID: "one", Engine: "medusa", Drift: []provision.Difference{{Object: "deployment one", Fields: []string{"spec.replicas"}, Manager: "kubectl-edit"}}}}, "7"
	default:
		page.Stores = []provision.State{{StoreID: "two", Engine: "medusa", Drift: []provision.Difference{{Object: "service two", Missing: true}}}}
	}
	_ = json.NewEncoder(w).Encode(page)
}

func TestFindings(t *testing.T) {
	f := &fakeFindings{}
	environment(t, f)
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"findings", 0, "drifted   one    medusa  deployment one: spec.replicas (by kubectl-edit)\ndrifted   two    medusa  service two is missing\noutdated  old    medusa  edition ab12"},
		{"findings --kind outdated", 0, "outdated  old"},
		{"findings --kind drifted -o json", 0, `{"drifted":[{"store_id":"one"`},
		{"findings --kind lonely", 2, "must be one of: unwell drifted outdated"},
	} {
		code, out, errOut := orchestrator(t, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out+errOut, test.says) {
			t.Errorf("%s: exit code %d: %s%s", test.args, code, out, errOut)
		}
	}
	f.none = true
	if code, out, _ := orchestrator(t, "findings"); code != 0 || !strings.Contains(out, "The audits have found nothing.") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
