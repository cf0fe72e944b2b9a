package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/testkit/bench/stores"
	"orchestrator/cmd/testkit/chaos/rig"
	"orchestrator/provision"
)

// callers is how many requests are under way at a time.
const callers = 20

// submit posts stores and waits until all are READY.
func (s *service) submit(ctx context.Context, prefix string, n int) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.post(ctx, prefix, n); err != nil {
		return err
	}
	return s.await(ctx, provision.StatusReady, prefix, n)
}

// post has the stores prefix0 to prefix<n-1> accepted.
func (s *service) post(ctx context.Context, prefix string, n int) error {
	return s.each(ctx, prefix, n, func(ctx context.Context, client *http.Client, id string) error {
		body, err := json.Marshal(stores.Request(id))
		if err != nil {
			return err
		}
		return s.ask(ctx, client, http.MethodPost, "", string(body))
	})
}

// remove has the deletion of the stores accepted.
func (s *service) remove(ctx context.Context, prefix string, n int) error {
	return s.each(ctx, prefix, n, func(ctx context.Context, client *http.Client, id string) error {
		return s.ask(ctx, client, http.MethodDelete, "/stores/"+id, "")
	})
}

func (s *service) each(ctx context.Context, prefix string, n int, do func(context.Context, *http.Client, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	for i := range n {
		group.Go(func() error { return do(ctx, client, stores.ID(prefix, i)) })
	}
	return group.Wait()
}

// ask sends a request that is accepted; it repeats what the service asks to be repeated.
func (s *service) ask(ctx context.Context, client *http.Client, method, path, body string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, method, s.api+path, strings.NewReader(body))
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
			return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
		case !rig.Sleep(ctx, 100*time.Millisecond):
			return context.Cause(ctx)
		}
	}
}

// await waits until the status was delivered for n stores with the prefix.
func (s *service) await(ctx context.Context, status provision.Status, prefix string, n int) error {
	return s.until(ctx, func() (string, bool, error) {
		delivered, err := s.backend.delivered(status, prefix)
		return fmt.Sprintf("%s was delivered for %d of %d stores", status, len(delivered), n), len(delivered) >= n, err
	})
}

// until waits until something holds, which says how far it is.
func (s *service) until(ctx context.Context, holds func() (string, bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errors.New("that takes too long (--patience)"))
	defer cancel()
	for {
		state, held, err := holds()
		if held || err != nil {
			return err
		}
		if !rig.Sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("%s: %w", state, context.Cause(ctx))
		}
	}
}
