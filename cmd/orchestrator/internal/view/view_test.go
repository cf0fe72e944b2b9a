package view

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The golden files show times of day.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

var now = time.Date(2026, 1, 2, 12, 0, 30, 0, time.UTC)

// golden compares text with a file.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path, got := filepath.Join("testdata", name), strings.Join(lines, "\n")+"\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; write it anew with -update):\n%s", name, diff)
	}
}

func step(name string, state provision.StepState, millis int64) provision.Step {
	return provision.Step{Generation: 7, Op: provision.OpProvision, Name: name, State: state, Millis: millis, At: now.Add(-2 * time.Second)}
}

func ready() provision.State {
	return provision.State{
		StoreID: "demo", Name: "demo", Engine: "woocommerce", Namespace: "store-demo", Host: "demo.localhost", StoreURL: "http://demo.localhost",
		Action: provision.OpProvision, Generation: 7, TaskID: "7.demo", Status: provision.StatusReady,
		AcceptedAt: now.Add(-25 * time.Second), DecidedAt: now.Add(-20500 * time.Millisecond), Deadline: now.Add(24 * time.Hour),
		Steps: []provision.Step{
			step("namespace", "started", 0), step("namespace", "done", 120), step("credentials", "started", 0), step("credentials", "done", 4),
			step("release", "started", 0), step("release", "done", 1230), step("ready", "started", 0), step("ready", "done", 2900),
		},
	}
}

func underway() provision.State {
	s := ready()
	s.StoreID, s.Engine, s.Status, s.DecidedAt, s.Running = "käse-und-brot", "medusa", provision.StatusProvisioning, time.Time{}, true
	s.Steps = s.Steps[:7]
	return s
}

func failed() provision.State {
	s := ready()
	s.StoreID, s.Status, s.Code, s.Error = "broken", provision.StatusFailed, provision.CodeImage, "image shop:1 cannot be pulled\x1b[2J\nfor 60 s"
	s.Steps = append(s.Steps[:7:7], provision.Step{Generation: 7, Op: provision.OpProvision, Name: "ready", State: "failed", Millis: 60000, Code: "image", Error: s.Error})
	return s
}

func queued() provision.State {
	s := ready()
	s.StoreID, s.Status, s.DecidedAt, s.Steps = "queued", provision.StatusProvisioning, time.Time{}, nil
	return s
}

func TestList(t *testing.T) {
	undelivered := ready()
	undelivered.StoreID, undelivered.PendingCallbacks = "undelivered", 1
	refused := ready()
	refused.StoreID, refused.DeadLetterID = "refused", "7.1.refused"
	golden(t, "list.txt", List([]provision.State{ready(), underway(), failed(), queued(), undelivered, refused}, now, 0, Style{}))
	refused.Cluster, refused.CreatorID = "eu", "42"
	golden(t, "wide.txt", Wide([]provision.State{ready(), failed(), refused}, now, Style{}))
}

func TestDeadLetters(t *testing.T) {
	letters := []provision.DeadLetter{
		{ID: "1764000000000.12.käse-und-brot", StoreID: "käse-und-brot", Status: provision.StatusReady, RefusedAt: now.Add(-3 * time.Hour), Reason: "404 Not Found {\"detail\":\n\"no such store\"}\x1b[2J"},
		{ID: "7.1.demo", StoreID: "demo", Status: provision.StatusDeleteFailed, RefusedAt: now.Add(-20 * time.Second), Reason: "400 Bad Request"},
	}
	golden(t, "dead_letters.txt", DeadLetters(letters, now, 0, Style{}))
}

func TestOrphans(t *testing.T) {
	contested := ready()
	contested.StoreID, contested.ContestedBy = "contested", "new-id"
	golden(t, "orphans.txt", Orphans([]provision.Orphan{
		{Kind: provision.OrphanForgotten, Since: now.Add(-50 * time.Hour), Store: ready()},
		{Kind: provision.OrphanContested, Since: now.Add(-time.Hour), Store: contested},
		{Kind: provision.OrphanFailed, Since: now.Add(-time.Minute), Store: failed()},
	}, now, 0, Style{}))
}

func TestLive(t *testing.T) {
	stores := []provision.State{underway(), failed(), queued(), ready()}
	golden(t, "live.txt", Live(stores, now, 100, 10, Style{}))
	golden(t, "live_narrow.txt", Live(stores, now, 60, 2, Style{}))
	golden(t, "live_color.txt", Live(stores, now, 60, 2, Style{Colors: true}))
}

func TestBackups(t *testing.T) {
	golden(t, "backups.txt", Backups([]provision.Backup{
		{Run: "7d3c8f0e-52a1-4a3e-9f0b-6f1f0c4f7a11", At: now.Add(-20 * time.Second), Orders: 1234, Products: 5, Bytes: 3 << 29},
		{Run: "r\x1b[2J", At: now.Add(-72 * time.Hour), Bytes: 1023},
		{Run: "r-1", At: now.Add(-time.Hour), Products: 1, Bytes: 1 << 20},
	}, now, 0, Style{}))
}

func TestShow(t *testing.T) {
	golden(t, "show_ready.txt", Show(ready(), now, 0, Style{}))
	golden(t, "show_failed.txt", Show(failed(), now, 0, Style{}))
	restored := underway()
	restored.Backup = &provision.Backup{Run: "r-2", At: now.Add(-3 * time.Hour), Orders: 17, Products: 4}
	restored.Restore = &provision.Restore{Generation: 7, Backup: provision.Backup{Run: "r-1", At: now.Add(-27 * time.Hour), Orders: 12, Products: 4}}
	restored.BackupRequestedAt = now.Add(-time.Minute)
	golden(t, "show_restore.txt", Show(restored, now, 0, Style{}))
	golden(t, "show_underway.txt", Show(underway(), now, 0, Style{}))
}

func TestNextDescribesEveryCase(t *testing.T) {
	set := func(s provision.State, change func(*provision.State)) provision.State {
		change(&s)
		return s
	}
	tests := map[string]provision.State{
		"Nothing: The store is up":                                              ready(),
		"it continues with what exists. Run: orchestrator retry":                failed(),
		"in step ready for 2.0 s":                                               underway(),
		"waits for a worker; the request fails if it is not finished in 24h00m": queued(),
		"Fix the cause, then retry. Run: orchestrator retry":                    set(failed(), func(s *provision.State) { s.Status = provision.StatusDeleteFailed }),
		"orchestrator resume demo":                                              set(ready(), func(s *provision.State) { s.Status, s.Suspended = provision.StatusSuspended, true }),
		"The store is gone":                                                     set(ready(), func(s *provision.State) { s.Status = provision.StatusDeleted }),
		"not accepted one callback yet; it is retried":                          set(ready(), func(s *provision.State) { s.PendingCallbacks = 1 }),
		"not accepted 2 callbacks yet; they are retried":                        set(failed(), func(s *provision.State) { s.PendingCallbacks = 2 }),
		"Then run: orchestrator replay 6.1.demo":                                set(ready(), func(s *provision.State) { s.DeadLetterID = "6.1.demo" }),
		"is retried until it does":                                              set(ready(), func(s *provision.State) { s.DeadLetterID, s.PendingCallbacks = "6.1.demo", 1 }),
		"waits for the end of a delete":                                         set(queued(), func(s *provision.State) { s.DeleteGeneration = 6 }),
		"was accepted earlier is running; then":                                 set(queued(), func(s *provision.State) { s.DeleteGeneration, s.Running = 6, true }),
		"its creator has one new store in progress":                             set(queued(), func(s *provision.State) { s.CreatorInProgress = 1 }),
		"its creator has 2 new stores in progress":                              set(queued(), func(s *provision.State) { s.CreatorInProgress = 2 }),
		"one run failed so far":                                                 set(queued(), func(s *provision.State) { s.Attempts = 1 }),
		"2 runs ended without a result":                                         set(queued(), func(s *provision.State) { s.Crashes = 2 }),
		"It is retried soon: the cluster or Redis":                              set(underway(), func(s *provision.State) { s.Running = false }),
		"is retried in 30.0 s: one run failed so far":                           set(queued(), func(s *provision.State) { s.Attempts, s.NextRunAt = 1, now.Add(30*time.Second) }),
		"between two steps":                                                     set(underway(), func(s *provision.State) { s.Steps = s.Steps[:6] }),
		"A worker is running it.":                                               set(queued(), func(s *provision.State) { s.Running = true }),
	}
	for want, s := range tests {
		if got := Next(s, now); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLatestDropsTheEarlierRun(t *testing.T) {
	s := ready()
	s.Steps = append(s.Steps[:6:6], step("ready", "started", 0), step("ready", "failed", 9), step("namespace", "started", 0))
	old := step("verify", "done", 1)
	old.Generation = 6
	s.Steps = append([]provision.Step{old}, s.Steps...)
	got := Latest(s)
	if len(got) != 1 || got[0].Name != "namespace" || got[0].State != provision.StepStarted {
		t.Errorf("%+v", got)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0 s", 0: "0.0 s", 1230 * time.Millisecond: "1.2 s", 59 * time.Second: "59.0 s", 65 * time.Second: "1m05s",
		3*time.Hour + 4*time.Minute: "3h04m", 72 * time.Hour: "3d",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestScreenRedrawsInPlace(t *testing.T) {
	var out strings.Builder
	s := NewScreen(&out, true)
	s.Draw([]string{"a", "b"})
	s.Draw([]string{"a", "b"}) // nothing new
	s.Print("line %d", 1)
	s.Draw([]string{"c"})
	s.Release()
	s.Print("end")
	want := "a\nb\n" + "\x1b[2A\r\x1b[Jline 1\na\nb\n" + "\x1b[2A\r\x1b[Jc\nend\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestScreenWithoutATerminalHasLinesOnly(t *testing.T) {
	var out strings.Builder
	s := NewScreen(&out, false)
	s.Draw([]string{"a"})
	s.Print("line")
	if out.String() != "line\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestNoColor(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	if StyleOf(os.Stdout).Colors {
		t.Error("colors in spite of NO_COLOR")
	}
	if got := (Style{}).Paint(Bad, "x"); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestProgressCountsTheTriesThatFailedAlike(t *testing.T) {
	s := failed()
	s.Steps[len(s.Steps)-1].Tries = 41
	if got := Progress(s, now); !strings.HasSuffix(got, "ready failed 41 times: "+s.Error) {
		t.Errorf("%q", got)
	}
}
