package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision/engine"
)

// callers is how many requests are under way at a time.
const callers = 16

// submit posts stores and waits until all are READY.
func (s *service) submit(ctx context.Context, prefix string, n int) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.post(ctx, prefix, n); err != nil {
		return err
	}
	return s.awaitReady(ctx, prefix, n)
}

// post has the stores prefix0 to prefix<n-1> accepted.
func (s *service) post(ctx context.Context, prefix string, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	for i := range n {
		group.Go(func() error { return s.postOne(ctx, client, fmt.Sprintf("%s%d", prefix, i)) })
	}
	return group.Wait()
}

// postOne repeats what the service asks to be repeated.
func (s *service) postOne(ctx context.Context, client *http.Client, id string) error {
	body := fmt.Sprintf(`{"store_id":%q,"name":"shop","engine":%q,"namespace":"store-%s","host":"%s.shop.test",
		"store_url":"https://%s.shop.test","creator_id":"c-%s","settings":{"title":"Shop %s","currency":"EUR","country":"DE"}}`, id, engine.Names()[0], id, id, id, id, id)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.api, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-Orchestrator-Token", token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusAccepted:
			return nil
		case resp.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("%s: %s: %s", id, resp.Status, text)
		case !rig.Sleep(ctx, 100*time.Millisecond):
			return context.Cause(ctx)
		}
	}
}

// awaitReady waits until READY was delivered for n stores with the prefix.
func (s *service) awaitReady(ctx context.Context, prefix string, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("not all stores became READY in 10 minutes"))
	defer cancel()
	for {
		ready, failed := s.backend.count(prefix)
		if failed != "" {
			return errors.New(failed)
		}
		if ready >= n {
			return nil
		}
		if !rig.Sleep(ctx, 20*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// backend records the stores that READY was delivered for, and the first callback with another status.
type backend struct {
	url    string
	server *http.Server

	mu     sync.Mutex
	ready  map[string]bool
	failed string
}

func startBackend() (*backend, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &backend{url: "http://" + listener.Addr().String(), ready: map[string]bool{}}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = b.server.Serve(listener) }()
	return b, nil
}

func (b *backend) close() { _ = b.server.Close() }

func (b *backend) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api/stores/"), "/status")
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes.Contains(body, []byte(`"READY"`)) {
		b.ready[id] = true
	} else if b.failed == "" {
		b.failed = fmt.Sprintf("store %s: %s", id, body)
	}
}

func (b *backend) count(prefix string) (ready int, failed string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.ready {
		if strings.HasPrefix(id, prefix) {
			ready++
		}
	}
	return ready, b.failed
}
