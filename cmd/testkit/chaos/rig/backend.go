package rig

import (
	"encoding/json"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
)

// Mode is how the backend responds.
type Mode string

// The modes of a backend.
const (
	Healthy   Mode = "healthy"
	Slow      Mode = "slow"       // takes 1 to 3 seconds to respond
	Errors    Mode = "500"        // rejects every callback
	Hangs     Mode = "hangs"      // never responds
	Down      Mode = "down"       // breaks every connection
	LostReply Mode = "lost-reply" // accepts the callback, and the response is lost
	Mixed     Mode = "mixed"      // picks one of the others for each callback
)

// hangFor is longer than a worker waits for a response.
const hangFor = 16 * time.Second

// Backend receives callbacks and keeps them in order of arrival.
type Backend struct {
	URL    string
	server *http.Server

	mu         sync.Mutex
	mode       Mode
	deliveries map[string][]model.Delivery // by store
	answering  map[string]int              // by store: callbacks without a response yet
	losses     int
}

// NewBackend listens on loopback.
func NewBackend() (*Backend, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Backend{URL: "http://" + listener.Addr().String(), mode: Healthy, deliveries: map[string][]model.Delivery{}, answering: map[string]int{}}
	b.server = &http.Server{Handler: b, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = b.server.Serve(listener) }() // ends with Close
	return b, nil
}

// Close breaks every connection.
func (b *Backend) Close() { _ = b.server.Close() }

// SetMode changes how the backend responds from now on.
func (b *Backend) SetMode(m Mode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode = m
}

// Deliveries returns what arrived about a store, in order.
func (b *Backend) Deliveries(store string) []model.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]model.Delivery(nil), b.deliveries[store]...)
}

// Stores returns the stores about which something arrived.
func (b *Backend) Stores() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.deliveries))
}

// RedisLost counts that Redis lost its data: what arrives from now on has sequences that begin anew.
func (b *Backend) RedisLost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.losses++
}

// Losses is how often Redis has lost its data.
func (b *Backend) Losses() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.losses
}

func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mode := b.now()
	if mode == Down {
		panic(http.ErrAbortHandler)
	}
	store := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/stores/"), "/status")
	d := model.Delivery{ID: r.Header.Get("webhook-id")}
	d.Generation, _ = strconv.ParseInt(r.Header.Get("X-Orchestrator-Generation"), 10, 64)
	d.Sequence, _ = strconv.ParseInt(r.Header.Get("X-Orchestrator-Sequence"), 10, 64)
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		return // incomplete: the worker was killed
	}
	d.Acknowledged = mode == Healthy || mode == Slow || mode == LostReply
	b.arrive(store, d)
	defer b.answered(store)
	pause := time.Duration(0)
	switch mode {
	case Slow:
		pause = time.Second + rand.N(2*time.Second)
	case Hangs:
		pause = hangFor
	default: // the others respond at once
	}
	select {
	case <-time.After(pause):
	case <-r.Context().Done():
	}
	switch mode {
	case Errors:
		http.Error(w, "injected by chaos", http.StatusInternalServerError)
	case Hangs, LostReply:
		panic(http.ErrAbortHandler)
	default: // the others respond with 200
	}
}

// now is how to respond to this callback.
func (b *Backend) now() Mode {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mode == Mixed {
		modes := []Mode{Healthy, Slow, Errors, LostReply, Down}
		return modes[rand.N(len(modes))]
	}
	return b.mode
}

func (b *Backend) arrive(store string, d model.Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Concurrent, d.Losses = b.answering[store] > 0, b.losses
	b.answering[store]++
	b.deliveries[store] = append(b.deliveries[store], d)
}

func (b *Backend) answered(store string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answering[store]--
}
