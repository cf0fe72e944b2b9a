package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"orchestrator/provision"
)

// backend records when what was delivered for which store, and the first callback that is a failure. It answers at once.
type backend struct {
	url    string
	server *http.Server

	mu     sync.Mutex
	at     map[provision.Status]map[string]time.Time
	failed error
}

func startBackend() (*backend, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{url: "http://" + listener.Addr().String(), at: map[provision.Status]map[string]time.Time{}}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = b.server.Serve(listener) }()
	return b, nil
}

func (b *backend) close() { _ = b.server.Close() }

func (b *backend) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var body struct {
		Status provision.Status
		Error  string
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/stores/"), "/status")
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.failed = cmp.Or(b.failed, fmt.Errorf("store %s: its callback is not JSON: %w", id, err))
	}
	if body.Error != "" {
		b.failed = cmp.Or(b.failed, fmt.Errorf("store %s: its callback is %s: %s", id, body.Status, body.Error))
	}
	if b.at[body.Status] == nil {
		b.at[body.Status] = map[string]time.Time{}
	}
	b.at[body.Status][id] = now
}

// delivered returns when a status was delivered for the stores with a prefix.
func (b *backend) delivered(status provision.Status, prefix string) (map[string]time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[string]time.Time{}
	for id, at := range b.at[status] {
		if strings.HasPrefix(id, prefix) {
			found[id] = at
		}
	}
	return found, b.failed
}
