package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

// mortuary is an ingest with dead letters: two to a page, the latest first. It is asked by one command at a time.
type mortuary struct {
	ids      []string
	dropped  string // the letter that is not sent, since it was overtaken
	status   int    // of every replay, where not 0
	replayed []string
}

func (m *mortuary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/dead-letters" {
		var from int
		_, _ = fmt.Sscan(r.URL.Query().Get("cursor"), &from)
		var page provision.DeadLetters
		for _, id := range m.ids[from:min(from+2, len(m.ids))] {
			page.DeadLetters = append(page.DeadLetters, provision.DeadLetter{ID: id, StoreID: "shop", Status: provision.StatusReady, Reason: "400 Bad Request", DiedAt: time.Now()})
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

func bury(t *testing.T, ids ...string) *mortuary {
	t.Helper()
	m := &mortuary{ids: ids}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	t.Setenv("ORCHESTRATOR_URL", server.URL)
	t.Setenv("ORCHESTRATOR_TOKEN", "secret")
	return m
}

func TestDeadListsLetters(t *testing.T) {
	bury(t, "7.3.shop", "7.2.shop", "7.1.shop")
	code, out, errOut := orchestrator(t, "dead")
	if code != 0 || !strings.Contains(out, "400 Bad Request") || !strings.Contains(out, "--cursor 2") || strings.Contains(out, "7.1.shop") {
		t.Error(code, out, errOut)
	}
	if code, out, errOut = orchestrator(t, "dead", "--all"); code != 0 || !strings.Contains(out, "7.1.shop") || strings.Contains(out, "There are more") {
		t.Error(code, out, errOut)
	}
	var page provision.DeadLetters
	code, out, _ = orchestrator(t, "dead", "--all", "-o", "json")
	if err := json.Unmarshal([]byte(out), &page); err != nil || code != 0 || len(page.DeadLetters) != 3 || page.DeadLetters[0].Reason != "400 Bad Request" {
		t.Error(code, err, out)
	}
}

func TestDeadSaysThatThereIsNothing(t *testing.T) {
	bury(t)
	if code, out, _ := orchestrator(t, "dead"); code != 0 || !strings.Contains(out, "no dead letters") {
		t.Error(code, out)
	}
	if code, out, _ := orchestrator(t, "replay", "--all"); code != 0 || !strings.Contains(out, "no dead letters") {
		t.Error(code, out)
	}
}

// A store's later callback, told first, would take the place of the others.
func TestReplaySendsInTheOrderOfSequence(t *testing.T) {
	ids := []string{"9.10.shop", "8.9.shop", "7.2.other"}
	want := []string{"7.2.other", "8.9.shop", "9.10.shop"}
	for _, args := range [][]string{{"replay", "--all"}, append([]string{"replay"}, ids...)} {
		m := bury(t, ids...)
		m.dropped = "8.9.shop"
		code, out, errOut := orchestrator(t, args...)
		if diff := cmp.Diff(want, m.replayed); diff != "" || code != 0 || errOut != "" {
			t.Errorf("%v: %d %s %s", args, code, errOut, diff)
		}
		if out != "7.2.other is sent again.\n8.9.shop is not sent: there is a newer truth about its store.\n9.10.shop is sent again.\n" {
			t.Error(out)
		}
	}
}

func TestReplayGoesOnAfterALetterThatIsNotKnown(t *testing.T) {
	m := bury(t, "7.2.shop")
	code, out, errOut := orchestrator(t, "replay", "x", "7.2.shop")
	if code != 1 || out != "7.2.shop is sent again.\n" || !strings.Contains(errOut, "x: The dead letter is not known") || len(m.replayed) != 2 {
		t.Error(code, out, errOut, m.replayed)
	}
}

func TestReplayEndsWhenTheServiceIsAway(t *testing.T) {
	m := bury(t, "7.2.shop", "7.3.shop")
	m.status = http.StatusServiceUnavailable
	if code, out, errOut := orchestrator(t, "replay", "--all"); code != 1 || out != "" || len(m.replayed) != 1 || strings.Count(errOut, "does not work") != 1 {
		t.Error(code, out, errOut, m.replayed)
	}
}

func TestReplayIsForProgramsToo(t *testing.T) {
	bury(t, "7.2.shop")
	if code, out, _ := orchestrator(t, "replay", "7.2.shop", "-o", "json"); code != 0 || out != `{"id":"7.2.shop","outcome":"queued"}`+"\n" {
		t.Error(code, out)
	}
}

func TestReplayNeedsToKnowWhat(t *testing.T) {
	m := bury(t, "7.2.shop")
	for _, args := range [][]string{{"replay"}, {"replay", "--all", "7.2.shop"}} {
		if code, _, errOut := orchestrator(t, args...); code != 2 || !strings.Contains(errOut, "or --all") || len(m.replayed) != 0 {
			t.Error(args, code, errOut, m.replayed)
		}
	}
}
