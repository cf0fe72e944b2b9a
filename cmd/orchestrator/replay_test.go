package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A later callback of a store, sent first, would make the earlier ones obsolete.
func TestReplayKeepsTheOrderOfSequences(t *testing.T) {
	ids := []string{"9.10.shop", "8.9.shop", "7.2.other"}
	want := []string{"7.2.other", "8.9.shop", "9.10.shop"}
	for _, args := range [][]string{{"replay", "--all"}, append([]string{"replay"}, ids...)} {
		m := serveDeadLetters(t, ids...)
		m.dropped = "8.9.shop"
		code, out, errOut := orchestrator(t, args...)
		if diff := cmp.Diff(want, m.replayed); diff != "" || code != 0 || errOut != "" {
			t.Errorf("%v: %d %s %s", args, code, errOut, diff)
		}
		if out != "7.2.other is queued to be sent again.\n8.9.shop is dropped: its store has a newer outcome.\n9.10.shop is queued to be sent again.\n" {
			t.Error(out)
		}
	}
}

func TestReplayContinuesAfterAnUnknownID(t *testing.T) {
	m := serveDeadLetters(t, "7.2.shop")
	code, out, errOut := orchestrator(t, "replay", "x", "7.2.shop")
	if code != 1 || out != "7.2.shop is queued to be sent again.\n" || !strings.Contains(errOut, "x: The dead letter is not known") || len(m.replayed) != 2 {
		t.Error(code, out, errOut, m.replayed)
	}
}

func TestReplayEndsWhenTheServiceIsUnavailable(t *testing.T) {
	m := serveDeadLetters(t, "7.2.shop", "7.3.shop")
	m.status = http.StatusServiceUnavailable
	if code, out, errOut := orchestrator(t, "replay", "--all"); code != 1 || out != "" || len(m.replayed) != 1 || strings.Count(errOut, "does not work") != 1 {
		t.Error(code, out, errOut, m.replayed)
	}
}

func TestReplayPrintsJSON(t *testing.T) {
	serveDeadLetters(t, "7.2.shop")
	if code, out, _ := orchestrator(t, "replay", "7.2.shop", "-o", "json"); code != 0 || out != `{"id":"7.2.shop","outcome":"queued"}`+"\n" {
		t.Error(code, out)
	}
}

func TestReplayNeedsIDsOrAll(t *testing.T) {
	m := serveDeadLetters(t, "7.2.shop")
	for _, args := range [][]string{{"replay"}, {"replay", "--all", "7.2.shop"}} {
		if code, _, errOut := orchestrator(t, args...); code != 2 || !strings.Contains(errOut, "or --all") || len(m.replayed) != 0 {
			t.Error(args, code, errOut, m.replayed)
		}
	}
}
