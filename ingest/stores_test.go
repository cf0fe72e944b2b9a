package ingest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestShowAnswersTheState(t *testing.T) {
	want := fullState()
	r := newRig(t, &fake{state: want})
	for _, path := range []string{"/stores/s-1", "/stores/s%2d1"} {
		a := r.send("GET", path, "")
		if tag := a.header.Get("ETag"); tag != `"7"` {
			t.Errorf("ETag of generation 7: %s", tag)
		}
		var got provision.State
		if err := json.Unmarshal([]byte(a.raw), &got); err != nil || a.status != 200 {
			t.Fatalf("GET %s: %d %v %s", path, a.status, err, a.raw)
		}
		if e := got.Explanation; e == nil || e.Reason != provision.ReasonCallback || len(e.Actions) == 0 {
			t.Errorf("explained as %+v", e)
		}
		got.Explanation = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// fullState has a value in every field.
var fullBackup = provision.Backup{Run: "r-1", At: time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC), Database: "d", Files: "f", Secrets: "s", Added: 1, Bytes: 2, Number: 3, Orders: 4, Products: 5, MyISAM: 6, Seconds: 7}

func fullState() provision.State {
	at := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	return provision.State{
		StoreID: "s-1", Name: "shop-1", Engine: "medusa", Namespace: "store-1", Host: "shop.example.com", StoreURL: "https://shop.example.com",
		CreatorID: "42", Action: provision.OpProvision, Generation: 7, TaskID: "7.s-1", Status: provision.StatusFailed, Code: provision.CodeImage,
		Error: "no such image", Attempts: 1, Crashes: 2, Running: true, AcceptedAt: at, Deadline: at.Add(time.Hour), DecidedAt: at.Add(time.Minute),
		PendingCallbacks: 1, DeadLetterID: "6.1.s-1", DeleteGeneration: 6, ContestedBy: "s-2", RequestedBy: "billing", RequestID: "r-1",
		Steps:    []provision.Step{{At: at, Generation: 7, Op: provision.OpProvision, Name: provision.StepReady, State: provision.StepFailed, Millis: 5, Code: provision.CodeImage, Error: "no such image"}},
		WaitsFor: "pod db-0", BackupRequestedAt: at, Backups: []provision.Backup{fullBackup}, Restore: &provision.Restore{Generation: 7, Backup: fullBackup},
		History: []provision.Generation{{Generation: 7, Op: provision.OpProvision, Status: provision.StatusFailed, Code: provision.CodeImage, Error: "no such image", RequestedBy: "billing",
			RequestID: "r-1", AcceptedAt: at, DecidedAt: at.Add(time.Minute)}},
		Deliveries: []provision.Delivery{{At: at, CallbackID: "7.2.s-1", Generation: 7, Sequence: 2, Status: provision.StatusFailed, Result: "retry", Millis: 9, HTTPStatus: 503,
			Answer: "busy", Reason: "x", NextAt: at.Add(time.Minute)}},
	}
}

func TestShowAnswers404ForUnknownStores(t *testing.T) {
	tests := map[string]int{"/stores/s-2": 1, "/stores/a..b": 0, "/stores/%2e%2e": 0, "/stores/a/b": 0, "/stores/%00": 0, "/stores/ä": 0}
	for path, calls := range tests {
		r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}})
		if a := r.send("GET", path, ""); a.status != 404 || r.calls != calls {
			t.Errorf("GET %s: %d, called the record %d times, want 404 and %d", path, a.status, r.calls, calls)
		}
	}
}

func TestListAnswersOnePage(t *testing.T) {
	r := newRig(t, &fake{page: provision.Page{Stores: []provision.State{fullState()}, Next: "abc"}})
	a := r.send("GET", "/stores?cursor=x%2By&limit=7", "")
	if a.status != 200 || a.body["next"] != "abc" || len(a.body["stores"].([]any)) != 1 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if r.cursor != "x+y" || r.limit != 7 {
		t.Errorf("requested cursor %q, limit %d", r.cursor, r.limit)
	}
}

func TestListFilters(t *testing.T) {
	r := newRig(t, &fake{})
	want := provision.StoreFilter{Status: provision.StatusFailed, Code: provision.CodeImage, Engine: "medusa", Cluster: "eu", Creator: "c 1", Query: "Shop-"}
	if a := r.send("GET", "/stores?status=FAILED&code=image&engine=medusa&cluster=eu&creator=c+1&q=Shop-", ""); a.status != 200 || r.filter != want {
		t.Errorf("%d %s: %+v", a.status, a.raw, r.filter)
	}
	for query, field := range map[string]string{
		"status=failed": "status", "status=GONE": "status", "code=nothing": "code", "engine=a&engine=b": "engine", "q=" + strings.Repeat("x", 254): "q",
	} {
		if a := r.send("GET", "/stores?"+query, ""); a.status != 422 || !slices.Equal(a.fields(), []string{field}) {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
}

func TestListHasADefaultLimitAndIsNeverNull(t *testing.T) {
	r := newRig(t, &fake{})
	a := r.send("GET", "/stores", "")
	if a.status != 200 || !strings.Contains(a.raw, `"stores":[]`) || r.limit != defaultLimit || r.cursor != "" {
		t.Errorf("%d %s with limit %d and cursor %q", a.status, a.raw, r.limit, r.cursor)
	}
}

func TestListRefusesInvalidParameters(t *testing.T) {
	for query, want := range map[string]int{
		"limit=0": 422, "limit=201": 422, "limit=-1": 422, "limit=": 422, "limit=x": 422, "limit=99999999999999999999": 422,
		"limit=%zz": 400, "a;b": 400, "limit=200": 200, "limit=1": 200, "unknown=1": 200,
	} {
		if a := newRig(t, &fake{}).send("GET", "/stores?"+query, ""); a.status != want {
			t.Errorf("GET /stores?%s: %d %s, want %d", query, a.status, a.raw, want)
		}
	}
	r := newRig(t, &fake{err: provision.Errorf(provision.CodeInvalid, "the cursor is not one of ours")})
	if a := r.send("GET", "/stores?cursor=x", ""); a.status != 422 {
		t.Errorf("a foreign cursor: %d %s", a.status, a.raw)
	}
}
