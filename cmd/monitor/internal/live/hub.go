// Package live tells open pages that what they show has changed. One process asks Redis once for all of them.
package live

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Source knows the newest event of all stores, under "", and of each of these: [record.Events].
type Source interface {
	Newest(ctx context.Context, storeIDs []string) (map[string]string, error)
}

const (
	pollEvery   = 500 * time.Millisecond
	pollTimeout = 5 * time.Second
)

// Hub tells viewers of what has changed.
type Hub struct {
	source  Source
	changed func() // is called before viewers are told
	log     *slog.Logger

	stopped chan struct{} // is closed when Run has ended, and with it the streams

	mu      sync.Mutex
	viewers map[*viewer]struct{}
	newest  map[string]string // as of the last poll; nil while Redis does not answer
	lost    bool
}

// viewer is one open page.
type viewer struct {
	name    string        // of the user
	store   string        // whose page it is; "": a page about all of them
	joined  bool          // since the last poll: something may have happened since its page was read
	changed chan struct{} // has room for one: it says that something has changed, not what
}

// New returns a hub; [Hub.Run] makes it live. changed is called when something has changed, before viewers are told: what they ask for then has to be read anew.
func New(source Source, changed func(), log *slog.Logger) *Hub {
	return &Hub{source: source, changed: changed, log: log, viewers: map[*viewer]struct{}{}, stopped: make(chan struct{})}
}

// Run asks for what has changed, as long as there is a viewer, until ctx ends. Open streams end then, so that they do not keep
// their server from stopping.
func (h *Hub) Run(ctx context.Context) {
	defer close(h.stopped)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.poll(ctx)
		}
	}
}

func (h *Hub) poll(ctx context.Context) {
	stores, watched := h.watched()
	if !watched {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	newest, err := h.source.Newest(ctx, stores)
	for _, store := range append(stores, "") {
		if err == nil && newest[store] == "" {
			newest[store] = "none" // it is known that there is none
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		if !h.lost {
			h.log.Warn("open pages are not told of changes", "error", err)
			h.lost = true
			for v := range h.viewers {
				v.tell() // that Redis is away
			}
		}
		return
	}
	if h.lost || !maps.Equal(h.newest, newest) {
		h.changed()
	}
	for v := range h.viewers {
		if before, known := h.newest[v.store]; h.lost || v.joined || known && before != newest[v.store] {
			v.tell()
		}
		v.joined = false
	}
	h.newest, h.lost = newest, false
}

// watched are the stores whose pages are open; watched is false where no page is open at all, and what was known is forgotten then.
func (h *Hub) watched() (stores []string, watched bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]bool{"": true}
	for v := range h.viewers {
		if !seen[v.store] {
			seen[v.store] = true
			stores = append(stores, v.store)
		}
	}
	if len(h.viewers) == 0 {
		h.newest = nil
	}
	return stores, len(h.viewers) > 0
}

func (v *viewer) tell() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// How many pages may be open at once.
const (
	viewersMost = 200
	viewersEach = 50 // of one user; a team may share one
)

// join adds a viewer, unless there are too many.
func (h *Hub) join(name, store string) (*viewer, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	own := 0
	for v := range h.viewers {
		if v.name == name {
			own++
		}
	}
	if len(h.viewers) >= viewersMost || own >= viewersEach {
		return nil, false
	}
	v := &viewer{name: name, store: store, joined: true, changed: make(chan struct{}, 1)}
	h.viewers[v] = struct{}{}
	return v, true
}

func (h *Hub) leave(v *viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, v)
}

// reachable says whether Redis has answered the last time that it was asked.
func (h *Hub) reachable() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.lost
}
