package rig

import (
	"encoding/json"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"orchestrator/cmd/testkit/chaos/model"
)

// Mood is how the backend answers.
type Mood string

// The moods.
const (
	Well   Mood = "well"
	Slow   Mood = "slow"   // 1 to 3 seconds per answer
	Errors Mood = "500"    // takes nothing
	Hangs  Mood = "hangs"  // answers nothing
	Down   Mood = "down"   // breaks every connection
	Mute   Mood = "mute"   // takes the callback, and the answer is lost
	Erring Mood = "erring" // one of the others, for each callback anew
)

// hangFor is longer than the worker waits for an answer.
const hangFor = 16 * time.Second

// Backend takes callbacks and keeps them in order of arrival.
type Backend struct {
	URL    string
	server *http.Server

	mu         sync.Mutex
	mood       Mood
	deliveries map[string][]model.Delivery // by store
	answering  map[string]int              // by store: callbacks that are being answered now
}

// NewBackend listens on loopback.
func NewBackend() (*Backend, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Backend{URL: "http://" + listener.Addr().String(), mood: Well, deliveries: map[string][]model.Delivery{}, answering: map[string]int{}}
	b.server = &http.Server{Handler: b, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = b.server.Serve(listener) }() // ends with Close
	return b, nil
}

// Close breaks every connection.
func (b *Backend) Close() { _ = b.server.Close() }

// Feel changes how the backend answers from now on.
func (b *Backend) Feel(m Mood) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mood = m
}

// Deliveries returns what arrived about a store, in order.
func (b *Backend) Deliveries(store string) []model.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]model.Delivery(nil), b.deliveries[store]...)
}

func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mood := b.now()
	if mood == Down {
		panic(http.ErrAbortHandler)
	}
	store := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/stores/"), "/status")
	d := model.Delivery{ID: r.Header.Get("webhook-id")}
	d.Generation, _ = strconv.ParseInt(r.Header.Get("X-Orchestrator-Generation"), 10, 64)
	d.Sequence, _ = strconv.ParseInt(r.Header.Get("X-Orchestrator-Sequence"), 10, 64)
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		return // it did not arrive whole: the worker was killed
	}
	d.Told = mood == Well || mood == Slow || mood == Mute
	b.arrive(store, d)
	defer b.answered(store)
	pause := time.Duration(0)
	switch mood {
	case Slow:
		pause = time.Second + rand.N(2*time.Second)
	case Hangs:
		pause = hangFor
	}
	select {
	case <-time.After(pause):
	case <-r.Context().Done():
	}
	switch mood {
	case Errors:
		http.Error(w, "a fault of this rig", http.StatusInternalServerError)
	case Hangs, Mute:
		panic(http.ErrAbortHandler)
	}
}

// now is how this callback is answered.
func (b *Backend) now() Mood {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mood == Erring {
		moods := []Mood{Well, Slow, Errors, Mute, Down}
		return moods[rand.N(len(moods))]
	}
	return b.mood
}

func (b *Backend) arrive(store string, d model.Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Beside = b.answering[store] > 0
	b.answering[store]++
	b.deliveries[store] = append(b.deliveries[store], d)
}

func (b *Backend) answered(store string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answering[store]--
}
