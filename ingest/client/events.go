package client

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"orchestrator/provision"
)

// Events follows what happens to a store after the event with this id, "" for all that is kept, until the stream ends: the service ends one after 15 minutes at most, and at
// once where it cannot send answers in parts. Ask again with the id of the last event; nothing that is kept is missed. An error comes last, as that of [Client.Store]
// would.
func (c *Client) Events(ctx context.Context, id, after string) iter.Seq2[provision.Event, error] {
	return func(yield func(provision.Event, error) bool) {
		body, err := c.stream(ctx, "/stores/"+url.PathEscape(id)+"/events", after)
		if err != nil {
			yield(provision.Event{}, err)
			return
		}
		defer body.Close()
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, maxResponse)
		for lines.Scan() {
			text, found := strings.CutPrefix(lines.Text(), "data: ")
			if !found {
				continue
			}
			var event provision.Event
			if err := json.Unmarshal([]byte(text), &event); err != nil {
				yield(event, err)
				return
			}
			if !yield(event, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(provision.Event{}, c.unreachable(ctx, err))
		}
	}
}

// stream begins a stream. It may last longer than other calls.
func (c *Client) stream(ctx context.Context, path, after string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Orchestrator-Token", c.token)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	endless := *c.http
	endless.Timeout = 0
	resp, err := endless.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return nil, problemOf(resp, text)
}
