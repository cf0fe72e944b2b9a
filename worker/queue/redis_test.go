package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
)

// everyMethod is every method that asks Redis.
func everyMethod(b *bench) map[string]func(context.Context) error {
	task, call := Task{provision.OpProvision, "a", 1, ""}, CallTask{"a", 1, 1, ""}
	run := Run{Op: provision.OpProvision, Store: provision.Store{Request: request("a"), Generation: 1}, Token: "t"}
	r := b.records
	return map[string]func(context.Context) error{
		"Ping":   r.Ping,
		"Accept": func(ctx context.Context) error { _, err := r.Accept(ctx, request("a"), patience); return err },
		"Enter":  func(ctx context.Context) error { _, _, err := r.Enter(ctx, task, "t", lease, true); return err },
		"Renew":  func(ctx context.Context) error { _, err := r.Renew(ctx, run, lease); return err },
		"Leave":  func(ctx context.Context) error { _, err := r.Leave(ctx, run, Exit{}); return err },
		"Verdict": func(ctx context.Context) error {
			_, _, err := r.Verdict(ctx, run, provision.StatusReady, "", "")
			return err
		},
		"Turn":        func(ctx context.Context) error { _, _, err := r.Turn(ctx, "a", "t", lease); return err },
		"Told":        func(ctx context.Context) error { return r.Told(ctx, Call{StoreID: "a"}) },
		"Bury":        func(ctx context.Context) error { return r.Bury(ctx, Call{StoreID: "a"}, "400") },
		"Letters":     func(ctx context.Context) error { _, err := r.Letters(ctx, "", 1); return err },
		"Replay":      func(ctx context.Context) error { _, _, err := r.Replay(ctx, "1.1.a"); return err },
		"Pass":        func(ctx context.Context) error { return r.Pass(ctx, "a", "t") },
		"Untold":      func(ctx context.Context) error { _, err := r.Untold(ctx, "a"); return err },
		"Lead":        func(ctx context.Context) error { _, err := r.Lead(ctx, "t", lease); return err },
		"Resign":      func(ctx context.Context) error { return r.Resign(ctx, "t") },
		"Due":         func(ctx context.Context) error { _, err := r.Due(ctx, 1, lease); return err },
		"Look":        func(ctx context.Context) error { _, err := r.Look(ctx, "a"); return err },
		"Journal":     func(ctx context.Context) error { return r.Journal(ctx, "a", provision.Step{}) },
		"Store":       func(ctx context.Context) error { _, _, err := r.Store(ctx, "a"); return err },
		"Stores":      func(ctx context.Context) error { _, err := r.Stores(ctx, "", 1); return err },
		"Enqueue":     func(ctx context.Context) error { return b.tasks.Enqueue(ctx, task) },
		"EnqueueCall": func(ctx context.Context) error { return b.tasks.EnqueueCall(ctx, call) },
		"Revive":      func(ctx context.Context) error { return b.tasks.Revive(ctx, task, true) },
		"ReviveCall":  func(ctx context.Context) error { return b.tasks.ReviveCall(ctx, call, false) },
		"Rescue":      func(ctx context.Context) error { _, err := b.tasks.Rescue(ctx, QueueProvision); return err },
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

func TestAnOutageIsUnavailable(t *testing.T) {
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
		recovered(b)
		b.end(task, provision.StatusReady)
	})
	t.Run("silent", func(t *testing.T) {
		b := connected(t, "redis://"+silent(t))
		ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
		defer cancel()
		if err := b.records.Ping(ctx); provision.CodeOf(err) != provision.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		if _, err := b.records.Accept(ctx, request("a"), patience); provision.CodeOf(err) != provision.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		b := newBench(t, redistest.Mini(t))
		b.redis.Close()
		wantUnavailable(b, b.ctx)
	})
}

// recovered waits until the client has found its server again: after a wave of failures it dials once a second only.
func recovered(b *bench) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); b.records.Ping(b.ctx) != nil; {
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
	return l.Addr().String() // the kernel completes the handshake; nobody accepts
}

func TestMethodsReturnNoErrorWithoutARecord(t *testing.T) {
	each(t, func(b *bench) {
		for name, ask := range everyMethod(b) {
			if err := ask(b.ctx); err != nil {
				b.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestTransportTellsTroubleOnTheWay(t *testing.T) {
	for _, err := range []error{io.EOF, fmt.Errorf("asynq: %w", io.EOF), &net.OpError{Op: "dial", Err: errors.New("no such file")}, context.DeadlineExceeded,
		redis.ErrClosed, redis.ErrPoolTimeout, errors.New("LOADING Redis is loading the dataset in memory"), errors.New("READONLY You can't write"),
		errors.New("asynq: UNKNOWN: redis eval error: OOM command not allowed"), errors.New("CLUSTERDOWN Hash slot not served"),
		errors.New("MISCONF Redis is configured to save"), errors.New("redis: all sentinels specified in configuration are unreachable")} {
		if !transport(err) {
			t.Errorf("%v is no trouble on the way", err)
		}
	}
	for _, err := range []error{redis.Nil, errors.New("WRONGTYPE Operation against a key"), errors.New("ERR Error running script"), errors.New("NOAUTH Authentication required.")} {
		if transport(err) {
			t.Errorf("%v is trouble on the way", err)
		}
	}
}

// counter counts the attempts below the settle hook.
type counter struct{ attempts chan struct{} }

func (c counter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if _, limited := ctx.Deadline(); limited && err != nil {
			select {
			case c.attempts <- struct{}{}:
			default:
			}
		}
		return err
	}
}

// await returns after n attempts that failed.
func (c counter) await(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case <-c.attempts:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d attempts, want %d", i, n)
		}
	}
}

func serverClient(t *testing.T, url string) (redis.UniversalClient, counter) {
	client, err := Connect(url, ForServer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	c := counter{make(chan struct{}, 100)}
	client.AddHook(c)
	return client, c
}

func TestACommandWithADeadlineOutlastsARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Durable(t)
	client, count := serverClient(t, server.URL)
	server.Kill()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	settled := make(chan error, 1)
	go func() { settled <- client.Set(ctx, "outcome", "done", 0).Err() }()
	count.await(t, 2) // it tried, failed, and tried again
	server.Start()
	if err := <-settled; err != nil {
		t.Errorf("the command gave up: %v", err)
	}
}

func TestOnlyTroubleOnTheWayIsRetriedAndOnlyUntilTheDeadline(t *testing.T) {
	t.Parallel()
	server := redistest.Durable(t)
	client, count := serverClient(t, server.URL)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client.Set(ctx, "text", "x", 0)
	before := len(count.attempts) // a new connection offers what an old server does not know
	if err := client.Incr(ctx, "text").Err(); err == nil || len(count.attempts) != before+1 {
		t.Errorf("counting a text: %v, after %d attempts", err, len(count.attempts)-before)
	}
	server.Kill()
	if err := client.Set(context.Background(), "poll", "x", 0).Err(); err == nil {
		t.Error("a command without a deadline succeeded without a server")
	}
	short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer cancel()
	if err := client.Set(short, "outcome", "x", 0).Err(); err == nil || short.Err() == nil {
		t.Errorf("before its deadline: %v", err)
	}
}

func TestAClientForAnswersFailsFast(t *testing.T) {
	t.Parallel()
	b := connected(t, "unix://"+filepath.Join(t.TempDir(), "s"))
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	start := time.Now()
	if err := b.records.Ping(ctx); err == nil || time.Since(start) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}
