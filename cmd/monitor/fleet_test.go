package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/provision"
	"orchestrator/worker/record"
	"orchestrator/worker/redisconn"
)

// fleet fills a real Redis with accepted stores; ORCH_TEST_FLEET says how many.
func fleet(t *testing.T, short int) (redis.UniversalClient, *record.Records, int) {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("ORCH_TEST_FLEET"))
	if err != nil {
		n = short
	}
	client, err := redisconn.Connect(redistest.Real(t), redisconn.FailFast, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	records := record.New(client, record.Options{})
	if err := client.Set(t.Context(), "{orch}:complete", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < n; i += 8 {
				if _, err := records.Requests.Accept(t.Context(), shop(i), time.Hour); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return client, records, n
}

func shop(i int) provision.Request {
	id := fmt.Sprintf("shop-%06d", i)
	return provision.Request{StoreID: id, Name: id, Engine: []string{"woocommerce", "medusa"}[i%2], Namespace: "store-" + id, Host: id + ".example.com",
		StoreURL: "https://" + id + ".example.com", CreatorID: fmt.Sprint(i % 1000), Action: provision.OpProvision}
}

// pageBudget is how long the server may take for a page of a fleet of any size.
const pageBudget = 100 * time.Millisecond

func TestPagesOfAFleetAreFast(t *testing.T) {
	client, _, n := fleet(t, 2000)
	fresh := func() site { // it has read nothing yet
		return siteOf(t, config{User: "op", Password: "correct horse"}, client, &bytes.Buffer{})
	}
	fresh().ask("GET", "/stores?status=READY") // what a version before has written is indexed first
	for _, path := range []string{"/", "/stores", "/stores?status=PROVISIONING", "/stores?engine=medusa&cluster=default", "/stores?q=shop-0001", "/stores/shop-000017", "/attention"} {
		took := make([]time.Duration, 11)
		size := 0
		for i := range took {
			s := fresh()
			start := time.Now()
			w := s.ask("GET", path)
			took[i], size = time.Since(start), w.Body.Len()
			if w.Code != 200 {
				t.Fatalf("GET %s: %d", path, w.Code)
			}
		}
		slices.Sort(took)
		t.Logf("%d stores: GET %s takes %s, %d KB", n, path, took[len(took)/2].Round(100*time.Microsecond), size/1024)
		if median := took[len(took)/2]; median > pageBudget || size > 80<<10 {
			t.Errorf("GET %s of %d stores takes %s and has %d KB", path, n, median, size/1024)
		}
	}
}

// viewed is how many commands Redis gets in a second while pages are open and stores change.
func viewed(t *testing.T, client redis.UniversalClient, records *record.Records, viewers int) (commands float64, rendered int64) {
	t.Helper()
	c := config{User: "op", Password: "correct horse", ProxyHeader: "X-User", ProxySecret: "s"}
	c.Deadline = time.Hour
	handler, hub, err := newHandler(c, client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(handler)
	defer server.Close()
	var open sync.WaitGroup
	open.Go(func() { hub.Run(ctx) })
	var pages, connected atomic.Int64
	for i := range viewers {
		open.Go(func() { view(ctx, server.URL, fmt.Sprint("viewer-", i), &connected, &pages) })
	}
	for deadline := time.Now().Add(time.Minute); connected.Load() < int64(viewers); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d viewers are connected", connected.Load(), viewers)
		}
	}
	time.Sleep(time.Second) // what they were shown first
	before, begun := processed(t, client), time.Now()
	changes := int64(0)
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); changes++ {
		if err := records.Callbacks.NoteDelivery(t.Context(), "shop-000001", provision.Delivery{At: time.Now(), Generation: 1, NextAt: time.Now()}); err != nil {
			t.Error(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	commands = float64(processed(t, client)-before-5*changes) / time.Since(begun).Seconds() // without those of the writer: a transaction of three
	stop()
	open.Wait()
	return commands, pages.Load()
}

func processed(t *testing.T, client redis.UniversalClient) int64 {
	t.Helper()
	text, err := client.Info(t.Context(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(text, "total_commands_processed:")
	n, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// view is an open page: it is told of changes, and fetches itself anew.
func view(ctx context.Context, base, user string, connected, pages *atomic.Int64) {
	ask := func(path string) *http.Response {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return nil
		}
		req.Header.Set("X-User", user)
		req.Header.Set("X-Orchestrator-Proxy-Secret", "s")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil
		}
		return resp
	}
	stream := ask("/live?store=")
	if stream == nil {
		return
	}
	defer stream.Body.Close()
	connected.Add(1)
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if lines.Text() != "event: changed" {
			continue
		}
		if page := ask("/"); page != nil {
			page.Body.Close()
			pages.Add(1)
		}
	}
}

func TestManyViewersCostRedisLittleMoreThanOne(t *testing.T) {
	client, records, _ := fleet(t, 100)
	if os.Getenv("ORCH_TEST_REDIS") != "" {
		t.Skip("one server counts its commands; others are several")
	}
	one, _ := viewed(t, client, records, 1)
	many, rendered := viewed(t, client, records, 200)
	t.Logf("commands of Redis in a second: %.0f for one viewer, %.0f for 200, who were shown %d pages: %.2f times", one, many, rendered, many/one)
	// Pages that are rendered at once share what was read. On a slow machine some come so late that it is too old, and is read again; never once for each viewer.
	if rendered < 200 || many > 3*one {
		t.Errorf("%.0f commands in a second for one viewer, %.0f for 200 (%d pages)", one, many, rendered)
	}
}
