package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"orchestrator/provision"
)

// fakeQuota is an ingest where each creator may have five stores, or as many as was set.
type fakeQuota struct{ own *int64 }

func (f *fakeQuota) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		var set struct{ Most *int64 }
		_ = json.Unmarshal(body, &set)
		f.own = set.Most
	}
	q := provision.Quota{CreatorID: "c-1", Stores: 3, Most: 5}
	if f.own != nil {
		q.Most, q.Own = *f.own, true
	}
	_ = json.NewEncoder(w).Encode(q)
}

func TestQuota(t *testing.T) {
	environment(t, &fakeQuota{})
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"quota c-1", 0, "Creator c-1 has 3 stores, and may have 5, as all creators."},
		{"quota c-1 --most 50", 0, "may have 50, which is its own quota."},
		{"quota c-1 --most 0", 0, "may have 0, which is its own quota."},
		{"quota c-1 --default -o json", 0, `"most":5,"own":false`},
		{"quota c-1 --most -2", 2, "must not be negative"},
		{"quota", 2, "takes exactly one creator_id"},
		{"quota c-1 --most 2 --default", 2, "contradict each other"},
	} {
		code, out, errOut := orchestrator(t, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out+errOut, test.says) {
			t.Errorf("%s: exit code %d: %s%s", test.args, code, out, errOut)
		}
	}
}
