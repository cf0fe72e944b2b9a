package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// fakeOrphans is an ingest with orphans: two per page. One command at a time may call it.
type fakeOrphans struct {
	all     []provision.Orphan
	changed string // the store that got a newer request meanwhile
	deleted []string
}

func (f *fakeOrphans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/orphans" {
		var of []provision.Orphan
		for _, o := range f.all {
			if string(o.Kind) == r.URL.Query().Get("kind") {
				of = append(of, o)
			}
		}
		var from int
		_, _ = fmt.Sscan(r.URL.Query().Get("cursor"), &from)
		page := provision.Orphans{Orphans: of[from:min(from+2, len(of))]}
		if from+2 < len(of) {
			page.Next = fmt.Sprint(from + 2)
		}
		_ = json.NewEncoder(w).Encode(page)
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/stores/")
	if id == f.changed {
		w.WriteHeader(http.StatusPreconditionFailed)
		fmt.Fprint(w, `{"title":"The store has a newer generation","status":412,"detail":"its generation is 8 by now"}`)
		return
	}
	f.deleted = append(f.deleted, r.Method+" "+id+" "+r.Header.Get("If-Match"))
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"store_id":%q,"action":"delete","generation":9,"task_id":"9.%s"}`, id, id)
}

func orphan(kind provision.OrphanKind, id string, age time.Duration) provision.Orphan {
	return provision.Orphan{Kind: kind, Since: time.Now().Add(-age), Store: provision.State{StoreID: id, Generation: 7, Status: provision.StatusReady, Host: id + ".example.com"}}
}

func serveOrphans(t *testing.T) *fakeOrphans {
	t.Helper()
	const day = 24 * time.Hour
	f := &fakeOrphans{all: []provision.Orphan{
		orphan(provision.OrphanForgotten, "young", time.Hour), orphan(provision.OrphanForgotten, "old", 3*day), orphan(provision.OrphanForgotten, "older", 30*day),
		orphan(provision.OrphanRetained, "kept", 40*day), orphan(provision.OrphanContested, "wanted", 40*day),
	}}
	environment(t, f)
	return f
}

func TestOrphansListsAllKindsAndPages(t *testing.T) {
	serveOrphans(t)
	code, out, errOut := orchestrator(t, "orphans")
	for _, id := range []string{"young", "old", "older", "kept", "wanted"} {
		if !strings.Contains(out, id+".example.com") {
			t.Errorf("%s is missing: %d %s %s", id, code, out, errOut)
		}
	}
	code, out, _ = orchestrator(t, "orphans", "--kind", "retained", "-o", "json")
	var page provision.Orphans
	if err := json.Unmarshal([]byte(out), &page); err != nil || code != 0 || len(page.Orphans) != 1 || page.Orphans[0].Store.StoreID != "kept" {
		t.Error(code, err, out)
	}
	if code, out, _ = orchestrator(t, "orphans", "--kind", "failed"); code != 0 || out != "There are no orphans.\n" {
		t.Error(code, out)
	}
}

func TestReclaimDeletesWhatIsOldEnough(t *testing.T) {
	for _, test := range []struct {
		args    string
		code    int
		deleted []string
		says    string
	}{
		{"--kind forgotten --older-than 2d --yes", 0, []string{`DELETE old "7"`, `DELETE older "7"`}, "old will be deleted"},
		{"--kind forgotten --older-than 2d", 1, nil, "2 stores would be deleted with all their data; add --yes"},
		{"--kind forgotten --older-than 60d --yes", 0, nil, "There is no such orphan"},
		{"--kind forgotten --older-than 1h --yes", 2, nil, "at least 24h"},
		{"--kind forgotten --yes", 2, nil, "--kind needs --older-than"},
		{"--kind contested --older-than 2d --yes", 2, nil, "by id only"},
		{"--kind lonely --older-than 2d --yes", 2, nil, "must be one of"},
		{"--kind forgotten --older-than soon --yes", 2, nil, `"soon"`},
		{"--kind forgotten --older-than -3d --yes", 2, nil, "must be an age"},
		{"old --yes", 0, []string{`DELETE old "7"`}, "old will be deleted"},
		{"wanted kept --yes", 0, []string{`DELETE kept "7"`, `DELETE wanted "7"`}, ""},
		{"young --yes", 1, nil, "for 1h00m only; reclaim it with --older-than 0s"},
		{"young --older-than 0s --yes", 0, []string{`DELETE young "7"`}, ""},
		{"young old --yes", 1, nil, "young"},
		{"nobody old --yes", 1, nil, "store nobody is no orphan; delete it with: orchestrator delete nobody"},
		{"", 2, nil, "takes ids"},
		{"old --kind forgotten", 2, nil, "takes ids"},
	} {
		f := serveOrphans(t)
		code, out, errOut := orchestrator(t, append([]string{"reclaim"}, strings.Fields(test.args)...)...)
		slices.Sort(f.deleted)
		if code != test.code || !slices.Equal(f.deleted, test.deleted) || !strings.Contains(out+errOut, test.says) {
			t.Errorf("reclaim %s: exit code %d, deleted %q, want %d, %q and %q\n%s%s", test.args, code, f.deleted, test.code, test.deleted, test.says, out, errOut)
		}
	}
}

func TestReclaimLeavesAloneWhatHasANewerRequest(t *testing.T) {
	f := serveOrphans(t)
	f.changed = "old"
	code, out, errOut := orchestrator(t, "reclaim", "--kind", "forgotten", "--older-than", "2d", "--yes")
	if code != 1 || !slices.Equal(f.deleted, []string{`DELETE older "7"`}) || !strings.Contains(errOut, "old: The store has a newer generation (412)") {
		t.Error(code, f.deleted, out, errOut)
	}
}
