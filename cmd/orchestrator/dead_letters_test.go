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

// fakeDeadLetters is an ingest with dead letters: two per page, the latest first. One command at a time may call it.
type fakeDeadLetters struct {
	ids      []string
	dropped  string // the dead letter that is dropped, since its store has a newer outcome
	status   int    // of every replay, where not 0
	replayed []string
}

func (m *fakeDeadLetters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/dead-letters" {
		var from int
		_, _ = fmt.Sscan(r.URL.Query().Get("cursor"), &from)
		var page provision.DeadLetters
		for _, id := range m.ids[from:min(from+2, len(m.ids))] {
			page.DeadLetters = append(page.DeadLetters, provision.DeadLetter{ID: id, StoreID: "shop", Status: provision.StatusReady, Reason: "400 Bad Request", RefusedAt: time.Now()})
		}
		if from+2 < len(m.ids) {
			page.Next = fmt.Sprint(from + 2)
		}
		_ = json.NewEncoder(w).Encode(page)
		return
	}
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/dead-letters/"), "/replay")
	m.replayed = append(m.replayed, id)
	outcome := provision.ReplayQueued
	switch {
	case m.status != 0:
		w.WriteHeader(m.status)
		fmt.Fprintf(w, `{"title":"It does not work","status":%d,"detail":"because"}`, m.status)
		return
	case !strings.Contains(strings.Join(m.ids, " "), id):
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"title":"The dead letter is not known","status":404,"detail":"no dead letter has this id"}`)
		return
	case id == m.dropped:
		outcome = provision.ReplayDropped
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"ok":true,"id":%q,"outcome":%q}`, id, outcome)
}

func serveDeadLetters(t *testing.T, ids ...string) *fakeDeadLetters {
	t.Helper()
	m := &fakeDeadLetters{ids: ids}
	environment(t, m)
	return m
}

func TestDeadLettersListsPages(t *testing.T) {
	serveDeadLetters(t, "7.3.shop", "7.2.shop", "7.1.shop")
	code, out, errOut := orchestrator(t, "dead-letters")
	if code != 0 || !strings.Contains(out, "400 Bad Request") || !strings.Contains(out, "--cursor 2") || strings.Contains(out, "7.1.shop") {
		t.Error(code, out, errOut)
	}
	if code, out, errOut = orchestrator(t, "dead-letters", "--all"); code != 0 || !strings.Contains(out, "7.1.shop") || strings.Contains(out, "Next page") {
		t.Error(code, out, errOut)
	}
	var page provision.DeadLetters
	code, out, _ = orchestrator(t, "dead-letters", "--all", "-o", "json")
	if err := json.Unmarshal([]byte(out), &page); err != nil || code != 0 || len(page.DeadLetters) != 3 || page.DeadLetters[0].Reason != "400 Bad Request" {
		t.Error(code, err, out)
	}
}

func TestDeadLettersSaysThatThereAreNone(t *testing.T) {
	serveDeadLetters(t)
	if code, out, _ := orchestrator(t, "dead-letters"); code != 0 || !strings.Contains(out, "no dead letters") {
		t.Error(code, out)
	}
	if code, out, _ := orchestrator(t, "replay", "--all"); code != 0 || !strings.Contains(out, "no dead letters") {
		t.Error(code, out)
	}
}
