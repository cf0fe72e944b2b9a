package ingest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func anEvent(n int) provision.Event {
	return provision.Event{ID: fmt.Sprintf("%d-0", n), StoreID: "s-1", Kind: provision.EventOutcome, Generation: 7, Status: provision.StatusReady}
}

func eventExamples(known fake) map[string]example {
	failing := func(code provision.Code) fake { return fake{err: provision.Errorf(code, "x")} }
	return map[string]example{
		"200": {fake: known},
		"401": {fake: known, noToken: true},
		"403": {fake: known, noScope: true},
		"404": {},
		"422": {fake: failing(provision.CodeInvalid)},
		"429": {fake: known, noStreams: true},
		"500": {fake: failing(provision.CodeInternal)},
		"503": {fake: failing(provision.CodeUnavailable)},
	}
}

// follow asks for the events of a store until the record does not answer any more.
func (r *rig) follow(w http.ResponseWriter, header, query string) {
	req := httptest.NewRequest("GET", "/stores/s-1/events"+query, nil)
	req.Header.Set(tokenHeader, testToken)
	if header != "" {
		req.Header.Set("Last-Event-ID", header)
	}
	r.handler.ServeHTTP(w, req)
}

func TestEventsGoOnAfterTheLastOneThatTheClientHasSeen(t *testing.T) {
	for name, c := range map[string]struct{ header, query, first string }{
		"from the beginning": {"", "", ""},
		"by the header":      {"3-1", "?since=1-0", "3-1"},
		"by the query":       {"", "?since=1-0", "1-0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &fake{events: [][]provision.Event{{anEvent(4), anEvent(5)}, nil, {anEvent(6)}}})
			w := httptest.NewRecorder()
			r.follow(w, c.header, c.query)
			if diff := cmp.Diff([]string{c.first, "5-0", "5-0", "6-0"}, r.after); diff != "" {
				t.Errorf("%s: asked after %s", name, diff)
			}
			if got := strings.Count(w.Body.String(), "event: outcome\ndata: {"); w.Code != 200 || got != 3 || !strings.Contains(w.Body.String(), "id: 6-0\n") || !strings.HasPrefix(w.Body.String(), "retry: 5000\n\n") {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		})
	}
}

func TestEventsShowThatTheStreamLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := make([][]provision.Event, 1+65) // half a minute and some
		quiet[0] = []provision.Event{anEvent(1)}
		r := newRig(t, &fake{events: quiet})
		w := httptest.NewRecorder()
		start := time.Now()
		r.follow(w, "", "")
		if n := strings.Count(w.Body.String(), ": nothing has happened"); n != 2 || time.Since(start) < 30*time.Second {
			t.Errorf("%d signs of life in %s", n, time.Since(start))
		}
	})
}

func TestEventsEndAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fake{events: make([][]provision.Event, 10_000), state: provision.State{StoreID: "s-1"}})
		start := time.Now()
		r.follow(httptest.NewRecorder(), "", "")
		if took := time.Since(start); took != eventLongest {
			t.Errorf("a stream lasts %s", took)
		}
	})
}

// buffered is an answer that is sent when it is whole.
type buffered struct{ http.ResponseWriter }

func TestEventsEndWhereAnswersAreBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fake{events: [][]provision.Event{{anEvent(1)}, {anEvent(2)}}})
		w := httptest.NewRecorder()
		start := time.Now()
		r.follow(buffered{w}, "", "")
		if !strings.Contains(w.Body.String(), "id: 1-0") || strings.Contains(w.Body.String(), "id: 2-0") || time.Since(start) != 0 {
			t.Errorf("after %s: %s", time.Since(start), w.Body)
		}
	})
}

func TestEventsOfTwentyStreamsAtATime(t *testing.T) {
	var s streams
	for range 2 {
		end, ok := s.begin("a", 1)
		if _, second := s.begin("a", 1); !ok || second {
			t.Errorf("a first stream: %v, a second one: %v", ok, second)
		}
		if other, ok := s.begin("b", 1); !ok {
			t.Error("another token has none")
		} else {
			other()
		}
		end()
	}
}

func TestServerThatStopsEndsItsStreams(t *testing.T) {
	r := newRig(t, &fake{events: make([][]provision.Event, 1_000_000), state: provision.State{StoreID: "s-1"}})
	r.rebuild(t, func(c *Config) { c.Timeout = 0 })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server("", r.handler)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+listener.Addr().String()+"/stores/s-1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(tokenHeader, testToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Error("the stream holds the server up: ", err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Error(err)
	}
	<-served
}
