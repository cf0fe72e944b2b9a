package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

var askedAt = time.Date(2026, 11, 28, 18, 0, 0, 5e6, time.UTC)

// backingUp answers a request for a backup; the rest is the fake's.
type backingUp struct{ *fakeIngest }

func (b backingUp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		b.fakeIngest.ServeHTTP(w, r)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	b.asked = append(b.asked, "POST "+r.URL.Path)
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "store_id": "shop", "requested_at": askedAt})
}

func TestBackupWaitsUntilItIsMade(t *testing.T) {
	made := func(run string, at time.Time) *provision.Backup {
		return &provision.Backup{Run: run, At: at, Orders: 17}
	}
	asked := shop(provision.StatusReady)
	asked.BackupRequestedAt, asked.Backup = askedAt, made("before", askedAt.Add(-time.Hour))
	done := shop(provision.StatusReady)
	done.Backup = made("r-3", askedAt.Truncate(time.Second))
	later := done
	later.BackupRequestedAt = askedAt.Add(time.Minute) // by another caller
	failed := shop(provision.StatusReady)
	failed.Backup, failed.BackupFailure = asked.Backup, &provision.BackupFailure{Code: provision.CodeCrash, Error: "the gate is full\x1b[2J"}
	dropped := shop(provision.StatusSuspended)
	dropped.Backup = asked.Backup
	for name, test := range map[string]struct {
		args   string
		states []provision.State
		code   int
		says   string
	}{
		"only asked for":    {"", nil, 0, "orchestrator backups shop"},
		"for programs":      {"-o json", nil, 0, `"requested_at":"2026-11-28T18:00:00.005Z"`},
		"made":              {"--watch", []provision.State{asked, done}, 0, "r-3"},
		"made, and asked":   {"--watch", []provision.State{later}, 0, "r-3"},
		"made for programs": {"--watch -o json", []provision.State{asked, done}, 0, `"run":"r-3"`},
		"failed":            {"--watch", []provision.State{asked, failed}, 1, "the backup of shop has failed: the gate is full"},
		"dropped":           {"--watch", []provision.State{asked, dropped}, 1, "no backup of shop was made: it is SUSPENDED"},
		"of two":            {"other", nil, 2, "exactly one store id"},
	} {
		f := &fakeIngest{states: test.states}
		environment(t, backingUp{f})
		code, out, errOut := orchestrator(t, append([]string{"backup", "shop"}, strings.Fields(test.args)...)...)
		if code != test.code || !strings.Contains(out+errOut, test.says) || strings.Contains(out+errOut, "\x1b") {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, errOut)
		}
		if test.code != 2 && f.asked[0] != "POST /stores/shop/backup" {
			t.Errorf("%s: asked for %v", name, f.asked)
		}
	}
}
