// Command receiver takes the status callbacks of the orchestrator, as a backend in Go would. See ../README.md.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// store is what the backend knows of a store: its latest callback.
type store struct {
	ID         string `json:"store_id"`
	Generation int64  `json:"generation"`
	Sequence   int64  `json:"sequence"`
	Status     string `json:"status"`
	URL        string `json:"url,omitempty"`
	Error      string `json:"error,omitempty"`
	Password   string `json:"password,omitempty"` // encrypt it, as other secrets of your customers
}

type receiver struct {
	webhook *standardwebhooks.Webhook
	mu      sync.Mutex // stands for a transaction of your database
	file    *os.File
	stores  map[string]store
}

func main() {
	if err := run(os.Getenv("ADDR"), os.Getenv("ORCH_WEBHOOK_SECRET"), os.Getenv("DATA")); err != nil {
		log.Fatal(err)
	}
}

func run(addr, secret, data string) error {
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil || secret == "" {
		return errors.New("ORCH_WEBHOOK_SECRET must be the workers' secret, whsec_ and base64")
	}
	r := &receiver{webhook: webhook, stores: map[string]store{}}
	if err := r.open(data); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", listener.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/stores/{store_id}/status", r.status)
	return http.Serve(listener, mux)
}

// webhookID is generation.sequence.store_id.
var webhookID = regexp.MustCompile(`^([0-9]{1,18})\.([0-9]{1,18})\.(.+)$`)

func (r *receiver) status(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 64<<10))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	// The signature is of these bytes: verify before anything parses them.
	if err := r.webhook.Verify(body, req.Header); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	// It covers the id and the body, and neither the path nor the other headers.
	id := req.Header.Get(standardwebhooks.HeaderWebhookID)
	m := webhookID.FindStringSubmatch(id)
	var s store
	if m == nil || m[3] != req.PathValue("store_id") || json.Unmarshal(body, &s) != nil || s.Status == "" {
		http.Error(w, "not a status of this store", http.StatusBadRequest)
		return
	}
	s.ID = m[3]
	s.Generation, _ = strconv.ParseInt(m[1], 10, 64)
	s.Sequence, _ = strconv.ParseInt(m[2], 10, 64)
	what, err := r.take(s)
	if err != nil {
		log.Print(err)
		http.Error(w, "the status cannot be stored now", http.StatusServiceUnavailable) // it is sent again
		return
	}
	fmt.Println(what, id, s.Status)
	w.WriteHeader(http.StatusNoContent)
}

// take commits a callback, unless it or a later one of the store was committed before.
func (r *receiver) take(s store) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.stores[s.ID]
	switch {
	case s.Generation == last.Generation && s.Sequence == last.Sequence:
		return "repeated", nil
	case s.Generation < last.Generation || s.Generation == last.Generation && s.Sequence < last.Sequence:
		return "older", nil
	}
	line, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	if _, err := r.file.Write(append(line, '\n')); err != nil {
		return "", err
	}
	if err := r.file.Sync(); err != nil {
		return "", err
	}
	r.stores[s.ID] = s
	return "taken", nil
}

// open reads what was committed before.
func (r *receiver) open(path string) (err error) {
	if r.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return err
	}
	for lines := json.NewDecoder(r.file); ; {
		var s store
		if err := lines.Decode(&s); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("%s: %w", path, err)
		}
		r.stores[s.ID] = s
	}
}
