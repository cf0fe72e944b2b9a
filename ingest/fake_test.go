package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

const testToken = "correct-horse"

// fake is an Acceptor, a Reader, a Replayer and a Pinger with configured results.
type fake struct {
	err    error // of every method
	panics any
	hangs  bool
	next   provision.Accepted
	got    []provision.Request
	state  provision.State
	page   provision.Page
	dead   provision.DeadLetters
	replay provision.ReplayResult
	id     string // of the replayed callback
	cursor string
	limit  int
	calls  int
}

func (f *fake) answer(ctx context.Context) error {
	f.calls++
	if f.panics != nil {
		panic(f.panics)
	}
	if f.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *fake) Accept(ctx context.Context, r provision.Request) (provision.Accepted, error) {
	f.got = append(f.got, r)
	return f.next, f.answer(ctx)
}

func (f *fake) Store(ctx context.Context, id string) (provision.State, bool, error) {
	return f.state, f.state.StoreID == id, f.answer(ctx)
}

func (f *fake) Stores(ctx context.Context, cursor string, limit int) (provision.Page, error) {
	f.cursor, f.limit = cursor, limit
	return f.page, f.answer(ctx)
}

func (f *fake) DeadLetters(ctx context.Context, cursor string, limit int) (provision.DeadLetters, error) {
	f.cursor, f.limit = cursor, limit
	return f.dead, f.answer(ctx)
}

func (f *fake) Replay(ctx context.Context, id string) (provision.ReplayResult, error) {
	f.id = id
	return f.replay, f.answer(ctx)
}

func (f *fake) Ping(ctx context.Context) error { return f.answer(ctx) }

// rig is a handler with its fake and its log.
type rig struct {
	*fake
	handler *echo.Echo
	log     *bytes.Buffer
	metrics *prometheus.Registry
}

func newRig(t testing.TB, f *fake) *rig {
	t.Helper()
	if f.next.TaskID == "" {
		f.next = provision.Accepted{Generation: 1700000000123, TaskID: "1700000000123.s-1"}
	}
	r := &rig{fake: f, log: &bytes.Buffer{}, metrics: prometheus.NewRegistry()}
	handler, err := New(Config{
		Tokens:   []string{testToken, "the-next-one"},
		Policy:   provision.Policy{Engines: []string{"woocommerce", "medusa"}, ReservedNamespaces: []string{"orchestrator"}, Clusters: []string{"eu", "us"}},
		Acceptor: f, Reader: f, Replayer: f, Pinger: f,
		Timeout: 50 * time.Millisecond,
		Log:     slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: r.metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.handler = handler
	return r
}

// reply is a response with its JSON body parsed.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// send sends a request with a valid token and the JSON content type. headers are pairs of name and value that replace
// these; the value "-" removes a header.
func (r *rig) send(method, target, body string, headers ...string) reply {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set(tokenHeader, testToken)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "-" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	a := reply{status: w.Code, header: w.Header(), raw: w.Body.String()}
	if strings.HasSuffix(w.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			panic("an answer that says it is JSON is not: " + a.raw)
		}
	}
	return a
}

// fields returns the names of the invalid fields of a 422.
func (a reply) fields() []string {
	var names []string
	entries, _ := a.body["errors"].([]any)
	for _, e := range entries {
		names = append(names, e.(map[string]any)["field"].(string))
	}
	return names
}

// store returns a valid body with changes; a nil value removes a key.
func store(changes map[string]any) string {
	all := map[string]any{
		"store_id": "s-1", "name": "shop-1", "engine": "woocommerce", "namespace": "store-1",
		"host": "shop.example.com", "store_url": "https://shop.example.com",
	}
	for key, value := range changes {
		all[key] = value
		if value == nil {
			delete(all, key)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(text)
}
