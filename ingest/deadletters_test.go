package ingest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

// fullLetter has a value in every field.
func fullLetter() provision.DeadLetter {
	at := time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)
	return provision.DeadLetter{ID: "7.3.s-1", StoreID: "s-1", Generation: 7, Sequence: 3, Status: provision.StatusFailed, Code: provision.CodeImage,
		Error: "no such image", Reason: "422 no such store", At: at, RefusedAt: at.Add(time.Minute)}
}

func TestLettersAnswersOnePage(t *testing.T) {
	want := provision.DeadLetters{DeadLetters: []provision.DeadLetter{fullLetter()}, Next: "abc"}
	r := newRig(t, &fake{dead: want})
	a := r.send("GET", "/dead-letters?cursor=x%2By&limit=7", "")
	var got provision.DeadLetters
	if err := json.Unmarshal([]byte(a.raw), &got); err != nil || a.status != 200 {
		t.Fatalf("%d %v %s", a.status, err, a.raw)
	}
	if diff := cmp.Diff(want, got); diff != "" || r.cursor != "x+y" || r.limit != 7 {
		t.Errorf("cursor %q, limit %d: %s", r.cursor, r.limit, diff)
	}
}

func TestLettersHasADefaultLimitAndIsNeverNull(t *testing.T) {
	r := newRig(t, &fake{})
	if a := r.send("GET", "/dead-letters", ""); a.status != 200 || !strings.Contains(a.raw, `"dead_letters":[]`) || r.limit != defaultLimit || r.cursor != "" {
		t.Errorf("%d %s with limit %d and cursor %q", a.status, a.raw, r.limit, r.cursor)
	}
}

func TestLettersRefusesInvalidParameters(t *testing.T) {
	for query, want := range map[string]int{"limit=0": 422, "limit=201": 422, "limit=%zz": 400, "limit=200": 200} {
		if a := newRig(t, &fake{}).send("GET", "/dead-letters?"+query, ""); a.status != want {
			t.Errorf("GET /dead-letters?%s: %d %s, want %d", query, a.status, a.raw, want)
		}
	}
	r := newRig(t, &fake{err: provision.Errorf(provision.CodeInvalid, "the cursor is not one of ours")})
	if a := r.send("GET", "/dead-letters?cursor=x", ""); a.status != 422 {
		t.Errorf("a foreign cursor: %d %s", a.status, a.raw)
	}
}

func TestReplayAnswersTheOutcome(t *testing.T) {
	for outcome, want := range map[provision.ReplayResult]int{provision.ReplayQueued: 202, provision.ReplayDropped: 202, provision.ReplayUnknown: 404} {
		r := newRig(t, &fake{replay: outcome})
		a := r.send("POST", "/dead-letters/7%2e3.s-1/replay", "")
		if a.status != want || r.id != "7.3.s-1" {
			t.Errorf("%s: %d %s, replayed %q", outcome, a.status, a.raw, r.id)
		}
		if want == 202 && (a.body["outcome"] != string(outcome) || a.body["id"] != "7.3.s-1" || a.body["ok"] != true) {
			t.Errorf("%s: %s", outcome, a.raw)
		}
		if want == 404 && a.body["type"] != "urn:orchestrator:problem:dead-letter-not-found" {
			t.Errorf("%s: %s", outcome, a.raw)
		}
		if lines := r.lines(t); lines[0]["store_id"] != "s-1" {
			t.Errorf("%s: the log has %v", outcome, lines)
		}
	}
}

func TestLettersNeedAToken(t *testing.T) {
	for _, target := range []string{"GET /dead-letters", "POST /dead-letters/7.3.s-1/replay"} {
		method, path, _ := strings.Cut(target, " ")
		r := newRig(t, &fake{replay: provision.ReplayQueued})
		if a := r.send(method, path, "", tokenHeader, "wrong"); a.status != 401 || r.calls != 0 {
			t.Errorf("%s: %d %s, %d calls", target, a.status, a.raw, r.calls)
		}
	}
}

func TestReplayOutcomesAreDescribed(t *testing.T) {
	want := []any{string(provision.ReplayQueued), string(provision.ReplayDropped)}
	if diff := cmp.Diff(want, at(description(t), "components", "schemas", "Replayed", "properties", "outcome")["enum"]); diff != "" {
		t.Error(diff)
	}
}
