package record

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// everyMethod is every method that asks Redis.
func everyMethod(b *bench) map[string]func(context.Context) error {
	task, call := queue.Task{Op: provision.OpProvision, StoreID: "a", Generation: 1, Cluster: provision.DefaultCluster}, queue.CallbackTask{StoreID: "a", Generation: 1, Sequence: 1, Cluster: provision.DefaultCluster}
	run := Run{Op: provision.OpProvision, Store: provision.Store{Request: request("a"), Generation: 1}, Token: "t"}
	r := b.records
	return map[string]func(context.Context) error{
		"Ping":  r.Requests.Ping,
		"Ready": r.Requests.Ready,
		"Accept": func(ctx context.Context) error {
			_, err := r.Requests.Accept(ctx, request("a"), generationTimeout)
			return err
		},
		"Acquire": func(ctx context.Context) error {
			_, _, err := r.Runs.Acquire(ctx, task, "t", leaseTTL, true)
			return err
		},
		"Renew":   func(ctx context.Context) error { _, err := r.Runs.Renew(ctx, run, leaseTTL); return err },
		"Release": func(ctx context.Context) error { _, err := r.Runs.Release(ctx, run, RunEnd{}); return err },
		"RecordOutcome": func(ctx context.Context) error {
			_, _, err := r.Runs.RecordOutcome(ctx, run, provision.StatusReady, "", "")
			return err
		},
		"Claim":         func(ctx context.Context) error { _, _, err := r.Callbacks.Claim(ctx, "a", "t", leaseTTL); return err },
		"MarkDelivered": func(ctx context.Context) error { return r.Callbacks.MarkDelivered(ctx, Callback{StoreID: "a"}) },
		"KeepDeadLetter": func(ctx context.Context) error {
			return r.Callbacks.KeepDeadLetter(ctx, Callback{StoreID: "a"}, "400", false)
		},
		"DeadLetters":  func(ctx context.Context) error { _, err := r.Callbacks.DeadLetters(ctx, "", 1); return err },
		"Replay":       func(ctx context.Context) error { _, _, err := r.Callbacks.Replay(ctx, "1.1.a"); return err },
		"ReleaseClaim": func(ctx context.Context) error { return r.Callbacks.ReleaseClaim(ctx, "a", "t") },
		"Pending":      func(ctx context.Context) error { _, err := r.Callbacks.Pending(ctx, "a"); return err },
		"LeadSweep":    func(ctx context.Context) error { _, err := r.Recovery.LeadSweep(ctx, "t", leaseTTL); return err },
		"ResignSweep":  func(ctx context.Context) error { return r.Recovery.ResignSweep(ctx, "t") },
		"Due":          func(ctx context.Context) error { _, err := r.Recovery.Due(ctx, 1, leaseTTL); return err },
		"Inspect":      func(ctx context.Context) error { _, err := r.Recovery.Inspect(ctx, "a"); return err },
		"LoseCluster": func(ctx context.Context) error {
			return New(b.redis, Options{Placement: twoClusters}).Requests.LoseCluster(ctx, "eu")
		},
		"FindCluster": func(ctx context.Context) error {
			return New(b.redis, Options{Placement: twoClusters}).Requests.FindCluster(ctx, "eu")
		},
		"Clusters":      func(ctx context.Context) error { _, err := r.Requests.Clusters(ctx); return err },
		"EndLostStores": func(ctx context.Context) error { _, _, err := r.Recovery.EndLostStores(ctx, 1); return err },
		"Orphans": func(ctx context.Context) error {
			_, err := r.Requests.Orphans(ctx, provision.OrphanFailed, "", 1)
			return err
		},
		"CountOrphans": func(ctx context.Context) error { _, err := r.Requests.CountOrphans(ctx); return err },
		"NoteWaits":    func(ctx context.Context) error { return r.Runs.NoteWaits(ctx, "a", "x") },
		"AppendStep":   func(ctx context.Context) error { return r.Runs.AppendStep(ctx, "a", provision.Step{}) },
		"Store":        func(ctx context.Context) error { _, _, err := r.Requests.Store(ctx, "a"); return err },
		"Find": func(ctx context.Context) error {
			_, err := r.Requests.Find(ctx, provision.StoreFilter{}, "", 1)
			return err
		},
		"Enqueue":         func(ctx context.Context) error { return b.tasks.Enqueue(ctx, task) },
		"EnqueueCallback": func(ctx context.Context) error { return b.tasks.EnqueueCallback(ctx, call) },
		"Revive":          func(ctx context.Context) error { return b.tasks.Revive(ctx, task, true) },
		"ReviveCallback":  func(ctx context.Context) error { return b.tasks.ReviveCallback(ctx, call, false) },
		"RequeueOrphans": func(ctx context.Context) error {
			_, err := b.tasks.RequeueOrphans(ctx, queue.QueueProvision)
			return err
		},
	}
}

// wantUnavailable calls every method at once: a client may try for a second before it gives up.
func wantUnavailable(b *bench, ctx context.Context) {
	b.Helper()
	var wg sync.WaitGroup
	for name, ask := range everyMethod(b) {
		wg.Go(func() {
			if err := ask(ctx); err == nil || provision.CodeOf(err) != provision.CodeUnavailable {
				b.Errorf("%s: %v, of code %s", name, err, provision.CodeOf(err))
			}
		})
	}
	wg.Wait()
}

func TestRecordsAreUnavailableDuringAnOutage(t *testing.T) {
	t.Parallel()
	t.Run("never there", func(t *testing.T) {
		b := connected(t, "unix://"+filepath.Join(t.TempDir(), "s"))
		wantUnavailable(b, b.ctx)
	})
	t.Run("killed", func(t *testing.T) {
		server := redistest.Durable(t)
		b := newBench(t, server.URL)
		task := b.accept(request("a"))
		server.Kill()
		wantUnavailable(b, b.ctx)
		server.Start()
		awaitReconnect(b)
		b.end(task, provision.StatusReady)
	})
	t.Run("silent", func(t *testing.T) {
		b := connected(t, "redis://"+silent(t))
		ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
		defer cancel()
		if err := b.records.Requests.Ping(ctx); provision.CodeOf(err) != provision.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		if _, err := b.records.Requests.Accept(ctx, request("a"), generationTimeout); provision.CodeOf(err) != provision.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		b := newBench(t, redistest.Mini(t))
		b.redis.Close()
		wantUnavailable(b, b.ctx)
	})
}

// awaitReconnect waits until the client has found its server again: after a wave of failures it dials once a second only.
func awaitReconnect(b *bench) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); b.records.Requests.Ping(b.ctx) != nil; {
		if time.Now().After(deadline) {
			b.Fatal("the client does not find its server again")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// silent is the address of a server that takes connections and never answers.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String() // the kernel completes the handshake; the connection is never accepted
}

func TestRecordsMethodsReturnNoErrorWithoutARecord(t *testing.T) {
	each(t, func(b *bench) {
		for name, ask := range everyMethod(b) {
			if err := ask(b.ctx); err != nil {
				b.Errorf("%s: %v", name, err)
			}
		}
	})
}
