package live

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"orchestrator/cmd/monitor/internal/login"
)

const (
	tellEvery   = 2 * time.Second  // a page, at most
	heartbeat   = 15 * time.Second // so that a page knows that the stream lives
	longest     = 15 * time.Minute // then the page connects again, as who its user is then
	writeWithin = 10 * time.Second
)

// ServeHTTP is GET /live?store=ID: server-sent events that say changed, or lost while Redis does not answer.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := h.join(login.UserOf(r.Context()).Name, r.URL.Query().Get("store"))
	if !ok {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many pages are open", http.StatusTooManyRequests)
		return
	}
	defer h.leave(v)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	ctx, cancel := context.WithTimeout(r.Context(), longest)
	defer cancel()
	h.follow(ctx, w, v)
}

func (h *Hub) follow(ctx context.Context, w http.ResponseWriter, v *viewer) {
	control := http.NewResponseController(w)
	send := func(event string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin)) // the server's own limit is for answers that end
		_, err := fmt.Fprintf(w, "retry: 3000\nevent: %s\ndata:\n\n", event)
		return err == nil && control.Flush() == nil
	}
	if !send("open") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		event := "alive"
		select {
		case <-ctx.Done():
			return
		case <-h.stopped:
			return
		case <-beat.C:
		case <-v.changed:
			event = "changed"
		}
		if !h.reachable() {
			event = "lost"
		}
		if !send(event) {
			return
		}
		select { // what changes in between is told afterwards, once
		case <-ctx.Done():
			return
		case <-h.stopped:
			return
		case <-time.After(tellEvery):
		}
	}
}
