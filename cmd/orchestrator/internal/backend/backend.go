// Package backend is a stand-in for the e-commerce backend. It receives the status callbacks of workers, checks them strictly
// and keeps them in memory.
package backend

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"orchestrator/provision"
)

const (
	maxCallbacks = 10_000
	maxBody      = 64 << 10
)

// Callback is one recorded delivery.
type Callback struct {
	At         time.Time        `json:"at"`
	StoreID    string           `json:"store_id"`
	Status     provision.Status `json:"status"`
	URL        string           `json:"url,omitempty"`
	Error      string           `json:"error,omitempty"`
	Password   string           `json:"password,omitempty"`
	WebhookID  string           `json:"webhook_id"`
	Generation int64            `json:"generation"`
	Sequence   int64            `json:"sequence"`
	Signed     bool             `json:"signed"`             // a valid signature was present
	Repeated   bool             `json:"repeated,omitempty"` // this webhook id was delivered before
}

// Config is what the backend expects. Tokens must not be empty.
type Config struct {
	Tokens     []string       // all are accepted
	Secret     string         // of Standard Webhooks; "" means that signatures are not checked
	Fail       int            // how many deliveries are answered with 500 before the first is recorded
	OnCallback func(Callback) // called for every recorded delivery, one at a time; may be nil
	Now        func() time.Time
}

// Backend records callbacks. It is an http.Handler.
type Backend struct {
	Config
	mux   *http.ServeMux
	known []*standardwebhooks.Webhook // one for each secret

	mu        sync.Mutex
	callbacks []Callback
	fail      int
}

// New returns a backend with no recorded callbacks.
func New(c Config) (*Backend, error) {
	if len(c.Tokens) == 0 || slices.Contains(c.Tokens, "") {
		return nil, errors.New("ORCHESTRATOR_TOKEN is not set or has an empty token: the stand-in backend needs the token that workers send")
	}
	b := &Backend{Config: c, mux: http.NewServeMux(), fail: c.Fail}
	var err error
	if b.known, err = knownSecrets(c.Secret); err != nil {
		return nil, err
	}
	if b.Now == nil {
		b.Now = time.Now
	}
	b.mux.HandleFunc("POST /stores/{id}/status", b.status)
	b.mux.HandleFunc("POST /api/stores/{id}/status", b.status)
	b.mux.HandleFunc("GET /callbacks", b.list)
	b.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return b, nil
}

// knownSecrets returns what verifies by each of the secrets, which are separated by commas.
func knownSecrets(secrets string) (known []*standardwebhooks.Webhook, err error) {
	if secrets == "" {
		return nil, nil
	}
	for secret := range strings.SplitSeq(secrets, ",") {
		one, err := standardwebhooks.NewWebhook(strings.TrimSpace(secret))
		if err != nil {
			return nil, fmt.Errorf("ORCH_WEBHOOK_SECRET must be whsec_ followed by base64: %w", err)
		}
		known = append(known, one)
	}
	return known, nil
}

func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

// Callbacks returns the recorded callbacks, oldest first, with passwords.
func (b *Backend) Callbacks() []Callback {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.callbacks)
}

// status is POST [/api]/stores/{id}/status.
func (b *Backend) status(w http.ResponseWriter, r *http.Request) {
	if !b.authorized(r) {
		http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	c, err := b.read(r, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !b.record(c) {
		http.Error(w, "failing on purpose", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (b *Backend) authorized(r *http.Request) bool {
	got := []byte(r.Header.Get("X-Orchestrator-Token"))
	return slices.ContainsFunc(b.Tokens, func(token string) bool { return subtle.ConstantTimeCompare(got, []byte(token)) == 1 })
}

// record stores the callback and passes it to OnCallback. It reports false for deliveries that are to fail.
func (b *Backend) record(c Callback) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail > 0 {
		b.fail--
		return false
	}
	c.Repeated = slices.ContainsFunc(b.callbacks, func(k Callback) bool { return k.WebhookID == c.WebhookID })
	if len(b.callbacks) == maxCallbacks {
		b.callbacks = slices.Delete(b.callbacks, 0, maxCallbacks/10)
	}
	b.callbacks = append(b.callbacks, c)
	if b.OnCallback != nil {
		b.OnCallback(c)
	}
	return true
}

// list is GET /callbacks[?store_id=…]. Passwords are included only if the request has a token.
func (b *Backend) list(w http.ResponseWriter, r *http.Request) {
	found := []Callback{}
	for _, c := range b.Callbacks() {
		if id := r.URL.Query().Get("store_id"); id != "" && id != c.StoreID {
			continue
		}
		if c.Password != "" && !b.authorized(r) {
			c.Password = "[hidden]"
		}
		found = append(found, c)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"callbacks": found}) // fails only if the client has gone
}

// Line returns the callback as text, without its password.
func (c Callback) Line() string {
	parts := []string{string(c.Status)}
	switch {
	case c.URL != "":
		parts = append(parts, c.URL)
	case c.Error != "":
		parts = append(parts, c.Error)
	}
	if note := c.Note(); note != "" {
		parts = append(parts, "("+note+")")
	}
	return strings.Join(parts, " ")
}

// Note describes the delivery itself: password received, signed, repeated.
func (c Callback) Note() string {
	var notes []string
	if c.Password != "" {
		notes = append(notes, "password received")
	}
	if c.Signed {
		notes = append(notes, "signed")
	}
	if c.Repeated {
		notes = append(notes, "delivered again")
	}
	return strings.Join(notes, ", ")
}

func number(r *http.Request, header string) (int64, error) {
	n, err := strconv.ParseInt(r.Header.Get(header), 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("the header %s must be a positive number", header)
	}
	return n, nil
}
