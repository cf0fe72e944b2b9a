package record

import (
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/queue"
)

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// section is the part of docs/redis.md below a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(text(t, "../../docs/redis.md"), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/redis.md has no heading %q", heading)
	}
	part, _, _ := strings.Cut(after, "\n## ")
	return part
}

// named are the words in backticks in the first column of a section's table.
func named(t *testing.T, heading string) []string {
	words := map[string]bool{}
	for row := range strings.SplitSeq(section(t, heading), "\n") {
		if cells := strings.Split(row, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				words[m[1]] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(words))
}

func TestDocsNameEveryKey(t *testing.T) {
	documented := named(t, "Keys")
	sources, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		for _, m := range regexp.MustCompile(`prefix \+ "([a-z-]+:?)"`).FindAllStringSubmatch(text(t, path), -1) {
			key := prefix + m[1]
			if strings.HasSuffix(key, ":") {
				key += "<id>"
			}
			if !slices.Contains(documented, key) {
				t.Errorf("docs/redis.md does not name %s (%s)", key, path)
			}
		}
	}
}

func TestDocsNameEveryScript(t *testing.T) {
	documented := named(t, "Scripts")
	files, err := fs.Glob(scripts, "scripts/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(path, "scripts/"), ".lua")
		if !strings.HasPrefix(name, "lib_") && !slices.Contains(documented, name) {
			t.Errorf("docs/redis.md does not name the script %s", name)
		}
	}
}

// TestDocsNameTheFieldsOfTheRecord lives through all that writes a field.
func TestDocsNameTheFieldsOfTheRecord(t *testing.T) {
	b := newBench(t, redistest.Mini(t))
	written := map[string]bool{}
	see := func() {
		for _, field := range b.redis.HKeys(b.ctx, keyStore("a")).Val() {
			written[field] = true
		}
	}
	b.set(Options{CreatorLimit: 1, HoldAfter: 1, Placement: twoClusters})
	search := b.accept(deletion("a"))
	see()
	b.endOn(search, "eu", OutcomeNextCluster)
	b.endOn(search, "us", OutcomeRecorded)
	first, task := b.accept(ofCreator("x", "0")), b.accept(ofCreator("x", "a")) // within one millisecond, the order of the ids counts
	b.wantAcquire(task, AcquireThrottled)
	see()
	b.end(first, provision.StatusReady)
	result, run, err := b.records.Runs.Acquire(b.ctx, task, "run", leaseTTL, true)
	if err != nil || result != Acquired {
		t.Fatal(result, err)
	}
	if held, _, err := b.records.Runs.RecordOutcome(b.ctx, run, provision.StatusFailed, provision.CodeImage, ""); held != OutcomeOnHold || err != nil {
		t.Fatal(held, err)
	}
	see()
	if _, err := b.records.Fleet.ReleaseHold(b.ctx, "us", "woocommerce"); err != nil {
		t.Fatal(err)
	}
	b.release(run, RunEnd{})
	run = b.acquire(task, "go on")
	see()
	b.wantOutcome(run, provision.StatusFailed, OutcomeRecorded, 0)
	see()
	b.release(run, RunEnd{Counted: true, Ended: true, Again: time.Minute})
	for b.state("a").PendingCallbacks > 0 {
		b.refuse("a", "404", true)
	}
	if _, err := b.records.Requests.Accept(b.ctx, onHost(request("b"), request("a").Host), generationTimeout); provision.CodeOf(err) != provision.CodeConflict {
		t.Fatal(err)
	}
	see()
	run = b.acquire(task, "again")
	run.Outputs, run.Edition, run.Outdated = provision.Outputs{"key": "open to all"}, "e", true
	b.wantOutcome(run, provision.StatusReady, OutcomeRecorded, 0)
	b.release(run, RunEnd{Ended: true})
	see()
	b.audit(task, provision.Finding{Edition: "e", Drift: []provision.Difference{{Object: "service a", Missing: true}}})
	see()
	b.redis.Set(b.ctx, keyBackupsScheduled, "1", 0)
	b.requestBackup("a")
	see()
	for _, end := range []BackupEnd{{Made: aBackup("r", 0)}, {Code: provision.CodeCrash, Error: "full"}} {
		b.backUp(queue.MaintenanceTask{Kind: queue.Backup, StoreID: task.StoreID, Generation: task.Generation, Cluster: task.Cluster}, end)
		see()
	}
	for _, end := range []BackupEnd{{Passed: passed("r", 0)}, {Code: provision.CodeCrash, Error: "no end"}} {
		b.backUp(queue.MaintenanceTask{Kind: queue.RestoreTest, StoreID: task.StoreID, Generation: task.Generation, Cluster: task.Cluster}, end)
		see()
	}
	if _, err := b.records.Fleet.NoteUnwell(b.ctx, "us", map[string]string{"store-a": "x"}); err != nil {
		t.Fatal(err)
	}
	see()
	forced, _ := b.repeat("a", provision.ForceApply)
	see()
	b.end(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: forced, Cluster: "us"}, provision.StatusReady)
	rotating, _, err := b.records.Repeats.Rotate(b.ctx, "a", 0, generationTimeout)
	if err != nil {
		t.Fatal(err)
	}
	see()
	b.end(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: rotating.Generation, Cluster: "us"}, provision.StatusReady)
	restoring, _, err := b.records.Repeats.Restore(b.ctx, "a", 0, provision.RestoreRequest{}, generationTimeout)
	if err != nil {
		t.Fatal(err)
	}
	see()
	b.end(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: restoring.Generation, Cluster: "us"}, provision.StatusReady)
	suspended, _, err := b.records.Repeats.DeleteLater(b.ctx, "a", 0, provision.Grace{For: time.Hour, RetainData: true, Quiet: true}, generationTimeout)
	if err != nil {
		t.Fatal(err)
	}
	see()
	b.end(queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: suspended.Generation, Cluster: "us"}, provision.StatusSuspended)
	for _, protected := range []bool{true, false} {
		if _, err := b.records.Repeats.Protect(b.ctx, "a", protected); err != nil {
			t.Fatal(err)
		}
		see()
	}
	from := provision.WithOrigin(b.ctx, provision.Origin{By: "backend", RequestID: "r", Trace: aTrace})
	asked, err := b.records.Requests.Accept(from, deletion("a"), generationTimeout)
	if err != nil {
		t.Fatal(err)
	}
	see()
	b.end(queue.Task{Op: provision.OpDelete, StoreID: "a", Generation: asked.Generation, Cluster: asked.Cluster}, provision.StatusDeleteFailed)
	b.end(b.accept(retaining("a")), provision.StatusDeleted)
	b.deliver("a")
	see()
	if diff := cmp.Diff(named(t, "Fields of the record"), slices.Sorted(maps.Keys(written))); diff != "" {
		t.Error("documented and written fields differ: ", diff)
	}
}
