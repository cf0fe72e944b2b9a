package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// Events says what happens to a store: up to limit events after the one with this id, "" for all that are kept. Its errors are as those of [Reader]; an id that no
// event can have is CodeInvalid.
type Events interface {
	OfStore(ctx context.Context, storeID, after string, limit int) ([]provision.Event, error)
}

const (
	eventPage      = 100
	eventPoll      = 500 * time.Millisecond
	eventHeartbeat = 15 * time.Second
	eventLongest   = 15 * time.Minute // then the client connects again, with a token that still counts
	eventWrite     = 10 * time.Second // for a client to take what is sent
	eventRetry     = 5 * time.Second  // after which a client connects again
)

// streams counts the streams that are open, by the name of their token.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// begin takes one more stream, unless the token has as many as it may; end gives it back.
func (s *streams) begin(name string, most int) (end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[name] >= most {
		return nil, false
	}
	if s.open == nil {
		s.open = map[string]int{}
	}
	s.open[name]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open[name]--
	}, true
}

// events is GET /stores/{store_id}/events: what happens to the store, as server-sent events, from the id on that the client has seen last. Where the answer cannot be
// sent in parts, as on Lambda, it has what there is.
func (s *server) events(c echo.Context) error {
	id, err := storeInPath(c)
	if err != nil {
		return err
	}
	after := c.Request().Header.Get("Last-Event-ID")
	if since := c.QueryParam("since"); after == "" {
		after = since
	}
	first, err := s.firstEvents(c.Request().Context(), id, after)
	if err != nil {
		return err
	}
	end, ok := s.streams.begin(callerOf(c), s.MaxStreams)
	if !ok {
		return manyStreams.problem(fmt.Sprintf("this token has %d streams open, which is the most; close one, or ask GET /stores/%s", s.MaxStreams, id))
	}
	defer end()
	ctx, cancel := context.WithTimeout(c.Request().Context(), eventLongest)
	defer cancel()
	defer context.AfterFunc(stopping(ctx), cancel)()
	stream := newStream(c.Response())
	if !stream.send(first, after) {
		return nil
	}
	return s.follow(ctx, stream, id)
}

// firstEvents are those that the client has missed; they are read before the answer begins, so that an error is one.
func (s *server) firstEvents(ctx context.Context, id, after string) ([]provision.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	events, err := s.Events.OfStore(ctx, id, after, eventPage)
	if err != nil || len(events) > 0 {
		return events, err
	}
	_, found, err := s.Reader.Store(ctx, id)
	if err == nil && !found {
		err = unknownStore(id)
	}
	return nil, err
}

// follow sends what happens until the client goes, Redis does not answer, or the time is over: the client connects again.
func (s *server) follow(ctx context.Context, stream *stream, id string) error {
	tick := time.NewTicker(eventPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		events, err := s.Events.OfStore(ctx, id, stream.last, eventPage)
		if err != nil {
			s.Log.Debug("a stream of events ends", "store_id", id, "error", err)
			return nil
		}
		if !stream.send(events, "") {
			return nil
		}
	}
}

// stream writes server-sent events.
type stream struct {
	response *echo.Response
	control  *http.ResponseController
	last     string // id of the last event
	at       time.Time
}

func newStream(r *echo.Response) *stream {
	h := r.Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	r.WriteHeader(http.StatusOK)
	return &stream{response: r, control: http.NewResponseController(r.Writer)}
}

// send writes events, or a comment where the client has heard nothing for long. It answers false where the stream cannot go on.
func (s *stream) send(events []provision.Event, from string) bool {
	if s.last == "" {
		s.last = from
		fmt.Fprintf(s.response, "retry: %d\n\n", eventRetry.Milliseconds())
	} else if len(events) == 0 && time.Since(s.at) < eventHeartbeat {
		return true
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(eventWrite)) // the server's own limit is for answers that end
	for _, e := range events {
		text, _ := json.Marshal(e) // its fields cannot fail
		fmt.Fprintf(s.response, "id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Kind, text)
		s.last = e.ID
	}
	if len(events) == 0 {
		fmt.Fprint(s.response, ": nothing has happened\n\n")
	}
	s.at = time.Now()
	if s.last == "" {
		s.last = "0-0"
	}
	err := s.control.Flush()
	return err == nil && !errors.Is(err, http.ErrNotSupported)
}
