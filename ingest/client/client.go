// Package client is
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"orchestrator/provision"
)

// maxResponse is the longest response that is read; a page of 200 stores takes far less.
const maxResponse = 16 << 20

// Client calls one ingest. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New returns a client for ingest's URL, with or without /orchestrate at its end. token may be a comma-separated list, as in the service's
// ORCHESTRATOR_TOKEN; the first one is sent. A call takes 30 seconds at most. Redirects are not followed.
func New(rawURL, token string) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not an http or https URL", rawURL)
	}
	token, _, _ = strings.Cut(token, ",")
	base := strings.TrimSuffix(strings.TrimRight(rawURL, "/"), "/orchestrate")
	return &Client{base: base, token: token, http: &http.Client{
		Timeout: 30 * time.Second,
		// Following a redirect would send the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// URL returns ingest's base URL.
func (c *Client) URL() string { return c.base }

// Accepted is the response to a request that was recorded.
type Accepted struct {
	StoreID    string       `json:"store_id"`
	Action     provision.Op `json:"action"`
	Generation int64        `json:"generation"`
	TaskID     string       `json:"task_id"`
}

// Submit posts a request unchanged; ingest validates it. It is a marshalled [provision.Request], or what else openapi.yaml describes. For a store that is
// there already it is the whole desired state: what it leaves out has its default.
func (c *Client) Submit(ctx context.Context, generation int64, request json.RawMessage) (Accepted, error) {
	var a Accepted
	return a, c.doIf(ctx, generation, http.MethodPost, "/", request, &a)
}

// Verb is what is done with a store as its record has it.
type Verb string

// The verbs of [Client.Change]; the first five are answered with [Accepted].
const (
	Retry     Verb = "retry"     // the newest request is repeated; options: force, a list
	Suspend   Verb = "suspend"   // the shop is stopped, and everything of it kept; options: reason
	Resume    Verb = "resume"    // a shop that was suspended is started again
	Rotate    Verb = "rotate"    // the store gets another password and other REST keys
	Restore   Verb = "restore"   // the store is made what it was when a backup of it began; options: [provision.RestoreRequest]
	Backup    Verb = "backup"    // the store is backed up now; answered with [BackupRequested]
	Cancel    Verb = "cancel"    // the newest request, which has not begun or only waits, is given up; answered with [Cancelled]
	Protect   Verb = "protect"   // every delete is refused; answered with [Protected]
	Unprotect Verb = "unprotect" // deletes are accepted again; answered with [Protected]
)

// Cancelled is the response to a cancel.
type Cancelled struct {
	StoreID    string           `json:"store_id"`
	Action     provision.Op     `json:"action"`
	Generation int64            `json:"generation"`
	Status     provision.Status `json:"status"`
}

// BackupRequested is the response to a request for a backup. It is made once the store has one that began then or later, in whole seconds.
type BackupRequested struct {
	StoreID     string    `json:"store_id"`
	RequestedAt time.Time `json:"requested_at"`
}

// Protected is the response to a change of a store's protection.
type Protected struct {
	StoreID   string `json:"store_id"`
	Protected bool   `json:"protected"`
}

// Change requests something of a store as its record has it, and parses the response into into. options are marshalled; nil is none.
func (c *Client) Change(ctx context.Context, id string, generation int64, verb Verb, options, into any) error {
	var body []byte
	if options != nil {
		var err error
		if body, err = json.Marshal(options); err != nil {
			return err
		}
	}
	return c.doIf(ctx, generation, http.MethodPost, "/stores/"+url.PathEscape(id)+"/"+string(verb), body, into)
}

// Deletion says how a store is deleted.
type Deletion struct {
	RetainData bool          // namespace, credentials and volumes are kept
	Grace      time.Duration // it is suspended, and deleted that much later; 0 is the grace of the installation
	Erase      bool          // it is deleted at once, whatever the grace of the installation
}

// Delete requests the deletion of a store. Its data is gone then, unless it is to be retained. A store that is not there is DELETED, too.
func (c *Client) Delete(ctx context.Context, id string, generation int64, how Deletion) (Accepted, error) {
	path, query := "/stores/"+url.PathEscape(id), url.Values{}
	if how.RetainData {
		query.Set("retain_data", "true")
	}
	if how.Grace > 0 {
		query.Set("grace", how.Grace.String())
	}
	if how.Erase {
		query.Set("erase", "true")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var a Accepted
	return a, c.doIf(ctx, generation, http.MethodDelete, path, nil, &a)
}

// Fleet is what is about many stores at once.
func (c *Client) Fleet() Fleet { return Fleet{c} }

// Orphans returns a page of the orphans of one kind, the latest first.
func (c *Client) Orphans(ctx context.Context, kind provision.OrphanKind, cursor string, limit int) (provision.Orphans, error) {
	var o provision.Orphans
	return o, c.do(ctx, http.MethodGet, "/orphans?kind="+url.QueryEscape(string(kind))+"&"+page(cursor, limit), &o)
}

// Store returns the state of a store, with its latest steps. For a store without a record the error is one of [IsNotFound].
func (c *Client) Store(ctx context.Context, id string) (provision.State, error) {
	var s provision.State
	return s, c.do(ctx, http.MethodGet, "/stores/"+url.PathEscape(id), &s)
}

// Stores returns a page of the stores that the filter chooses, the latest accepted first, without their steps.
func (c *Client) Stores(ctx context.Context, f provision.StoreFilter, cursor string, limit int) (provision.Page, error) {
	query := url.Values{}
	for name, value := range f.Fields() {
		query.Set(name, value)
	}
	path := "/stores?" + page(cursor, limit)
	if len(query) > 0 {
		path += "&" + query.Encode()
	}
	var p provision.Page
	return p, c.do(ctx, http.MethodGet, path, &p)
}

// DeadLetters returns a page of the dead letters, the latest refused first.
func (c *Client) DeadLetters(ctx context.Context, cursor string, limit int) (provision.DeadLetters, error) {
	var l provision.DeadLetters
	return l, c.do(ctx, http.MethodGet, "/dead-letters?"+page(cursor, limit), &l)
}

// Replayed is the response to the replay of a dead letter.
type Replayed struct {
	ID      string                 `json:"id"`
	Outcome provision.ReplayResult `json:"outcome"`
}

// Replay sends a dead letter again. For an unknown id the error is a [Problem] with status 404.
func (c *Client) Replay(ctx context.Context, id string) (Replayed, error) {
	var r Replayed
	return r, c.do(ctx, http.MethodPost, "/dead-letters/"+url.PathEscape(id)+"/replay", &r)
}

func page(cursor string, limit int) string {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query.Encode()
}

func (c *Client) do(ctx context.Context, method, path string, into any) error {
	return c.doIf(ctx, 0, method, path, nil, into)
}

// doIf sends a request that is carried out while the generation is the newest of the store, where it is not 0.
func (c *Client) doIf(ctx context.Context, generation int64, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Orchestrator-Token", c.token)
	if generation != 0 {
		req.Header.Set("If-Match", fmt.Sprintf(`"%d"`, generation))
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		return problemOf(resp, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: the response of %s does not parse: %w", ErrNotIngest, c.base, err)
	}
	return nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	reason := err
	if e, ok := errors.AsType[*url.Error](err); ok {
		reason = e.Err
	}
	return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, reason)
}
