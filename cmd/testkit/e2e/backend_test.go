//go:build devcluster || realcluster

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/provision"
)

// callback is one callback as it arrived.
type callback struct {
	ID       string // webhook-id
	Store    string
	Status   provision.Status
	URL      string
	Error    string
	Password string
	at       time.Time
}

// backend keeps every callback of a store that it knows.
type backend struct {
	url       string
	mu        sync.Mutex
	callbacks []callback
	forgotten map[string]bool // stores whose records were removed
	echoing   map[string]bool // stores whose callbacks are refused with the whole request in the answer
}

func newBackend(t *testing.T) *backend {
	b := &backend{}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, _ := httputil.DumpRequest(r, true)
	store, ok := strings.CutPrefix(r.URL.Path, "/api/stores/")
	store, ends := strings.CutSuffix(store, "/status")
	if !ok || !ends || r.Header.Get("X-Orchestrator-Token") != token {
		http.Error(w, "no such callback", http.StatusBadRequest)
		return
	}
	c := callback{ID: r.Header.Get("webhook-id"), Store: store, at: time.Now()}
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.forgotten[store] {
		http.Error(w, "no such store", http.StatusNotFound)
		return
	}
	if b.echoing[store] {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(request)
		return
	}
	b.callbacks = append(b.callbacks, c)
}

// forget removes the record of a store.
func (b *backend) forget(store string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgotten = map[string]bool{store: true}
}

// refuse answers a store's callbacks with 400 and an echo of the whole request.
func (b *backend) refuse(store string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.echoing = map[string]bool{store: true}
}

// accept takes a store's callbacks again.
func (b *backend) accept(store string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.echoing, store)
}

// of returns the callbacks of a store, in order.
func (b *backend) of(store string) []callback {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []callback
	for _, c := range b.callbacks {
		if c.Store == store {
			all = append(all, c)
		}
	}
	return all
}
