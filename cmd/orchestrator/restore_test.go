package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// backedUp is a store with two backups, the newer one three hours old.
func backedUp() provision.State {
	s := shop(provision.StatusReady)
	s.Backups = []provision.Backup{{Run: "r-2", At: time.Now().Add(-3 * time.Hour), Orders: 17, Products: 4, Bytes: 3 << 20}, {Run: "r-1", At: time.Now().Add(-27 * time.Hour), Orders: 12, Products: 4, Bytes: 2 << 20}}
	s.Backup = &s.Backups[0]
	return s
}

func TestRestoreAsksForTheBackupThatItShows(t *testing.T) {
	without := backedUp()
	without.Backup, without.Backups = nil, nil
	one := backedUp()
	one.Backups = nil // as an older service answers
	for _, test := range []struct {
		args  string
		state provision.State
		code  int
		body  string // "": nothing was requested
		says  string
	}{
		{"--yes", backedUp(), 0, `{"backup":"r-2"}`, "orchestrator watch shop"},
		{"--yes", one, 0, `{"backup":"r-2"}`, "17"},
		{"--backup r-1 --new-password --yes", backedUp(), 0, `{"backup":"r-1","new_password":true}`, "12"},
		{"--yes -o json", backedUp(), 0, `{"backup":"r-2"}`, `{"store_id":"shop"`},
		{"--yes --watch", backedUp(), 0, `{"backup":"r-2"}`, "READY"},
		{"", backedUp(), 1, "", "store shop would lose what was sold and written in the last 3h00m; add --yes"},
		{"--backup r-9 --yes", backedUp(), 1, "", `has no backup "r-9"; those it has are in: orchestrator backups shop`},
		{"--yes", without, 1, "", "no backup of store shop is known"},
		{"other --yes", backedUp(), 2, "", "exactly one store id"},
	} {
		f := &fakeIngest{states: []provision.State{test.state}}
		environment(t, f)
		code, out, errOut := orchestrator(t, append([]string{"restore", "shop"}, strings.Fields(test.args)...)...)
		f.mu.Lock() // a watch may still have a request open
		body, asked := "", strings.Join(f.asked, ", ")
		if len(f.bodies) > 1 {
			body = f.bodies[1]
		}
		f.mu.Unlock()
		if code != test.code || body != test.body || !strings.Contains(out+errOut, test.says) {
			t.Errorf("restore %s: exit code %d, requested %q, want %d and %q\n%s%s", test.args, code, body, test.code, test.body, out, errOut)
		}
		if test.body != "" && !strings.HasPrefix(asked, `GET /stores/shop, POST /stores/shop/restore if "7"`) {
			t.Errorf("restore %s: asked for %s", test.args, asked)
		}
	}
}

func TestRestoreOfAnUnknownStore(t *testing.T) {
	environment(t, &fakeIngest{})
	if code, _, errOut := orchestrator(t, "restore", "shop", "--yes"); code != 1 || !strings.Contains(errOut, "nothing is recorded") {
		t.Error(code, errOut)
	}
}

func TestBackupsListsThem(t *testing.T) {
	s := backedUp()
	s.BackupFailure = &provision.BackupFailure{Code: provision.CodeCrash, Error: "the storage is full\x1b[2J", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	environment(t, &fakeIngest{states: []provision.State{s}})
	code, out, errOut := orchestrator(t, "backups", "shop")
	for _, want := range []string{"r-2", "3h00m", "17", "3.0 MiB", "r-1", "27h00m", "Since 2026-01-02T03:04:05Z none was made: the storage is full"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%q is missing: %d %s%s", want, code, out, errOut)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a text of the service controls the terminal: %q", out)
	}
	code, out, _ = orchestrator(t, "backups", "shop", "-o", "json")
	var got storeBackups
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.StoreID != "shop" || len(got.Backups) != 2 || got.Failure == nil {
		t.Error(code, err, out)
	}
	environment(t, &fakeIngest{states: []provision.State{shop(provision.StatusReady)}})
	if code, out, _ = orchestrator(t, "backups", "shop"); code != 0 || out != "No backup of shop is known.\n" {
		t.Error(code, out)
	}
	if code, out, _ = orchestrator(t, "backups", "shop", "-o", "json"); code != 0 || !strings.Contains(out, `"backups":[]`) {
		t.Error(code, out)
	}
}

func TestShellsCompleteTheRunsOfBackups(t *testing.T) {
	environment(t, &fakeIngest{states: []provision.State{backedUp()}})
	if _, out, _ := orchestrator(t, "__complete", "restore", "shop", "--backup", "r-"); !strings.HasPrefix(out, "r-2\t") || !strings.Contains(out, "\nr-1\t") {
		t.Errorf("completed to %q", out)
	}
	if _, out, _ := orchestrator(t, "__complete", "restore", "--backup", "r-"); !strings.HasPrefix(out, ":") {
		t.Errorf("completed to %q", out)
	}
}
