package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"orchestrator/provision"
)

// Problem is an error response of ingest, as RFC 9457 defines it.
type Problem struct {
	Type     string                 `json:"type"` // a urn that ends with the Kind
	Title    string                 `json:"title"`
	Status   int                    `json:"status"`
	Detail   string                 `json:"detail"`
	Instance string                 `json:"instance,omitempty"` // the request's id in the service's log
	Errors   []provision.FieldError `json:"errors,omitempty"`   // of [KindInvalid]: one for each field

	RetryAfter time.Duration `json:"-"` // when to try again; 0: a repeated request has the same answer
}

// Kind is what went wrong, for programs to compare. It does not change; new ones may be added.
type Kind string

// The kinds of problems.
const (
	KindMalformed         Kind = "malformed"             // 400
	KindUnauthorized      Kind = "unauthorized"          // 401
	KindForbidden         Kind = "forbidden"             // 403: the token lacks a scope
	KindNoStore           Kind = "no-store"              // 404
	KindNoDeadLetter      Kind = "dead-letter-not-found" // 404
	KindNoRollout         Kind = "no-rollout"            // 404
	KindNoHold            Kind = "no-hold"               // 404
	KindNoRoute           Kind = "no-route"              // 404: the service is older than the client
	KindNoMethod          Kind = "no-method"             // 405: the same
	KindConflict          Kind = "conflict"              // 409: the store's state, or another store, forbids it
	KindGenerationChanged Kind = "generation-changed"    // 412
	KindTooLarge          Kind = "too-large"             // 413
	KindInvalid           Kind = "invalid"               // 422
	KindQuota             Kind = "quota"                 // 429: the creator has as many stores as it may have
	KindManyStreams       Kind = "too-many-streams"      // 429: of events
	KindInternal          Kind = "internal"              // 500
	KindUnavailable       Kind = "unavailable"           // 503: it may have been recorded; repeat it
)

// Kind returns the end of the type.
func (p *Problem) Kind() Kind { return Kind(strings.TrimPrefix(p.Type, "urn:orchestrator:problem:")) }

// Error returns one line, followed by one line per invalid field.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d)", p.Title, p.Status)
	if len(p.Errors) == 0 && p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	width := 0
	for _, e := range p.Errors {
		width = max(width, len(e.Field))
	}
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "\n  %-*s  %s", width, e.Field, e.Detail)
	}
	b.WriteString(p.advice())
	return b.String()
}

func (p *Problem) advice() string {
	switch {
	case p.RetryAfter > 0:
		return fmt.Sprintf("; try again in %d s", p.RetryAfter/time.Second)
	case p.Status == http.StatusInternalServerError && p.Instance != "":
		return " (" + p.Instance + ")"
	}
	return ""
}

// problemOf parses an error response. A response that is not from ingest, such as a proxy's page, is reported by its status
// only.
func problemOf(resp *http.Response, text []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(text, p); err != nil || p.Title == "" {
		return fmt.Errorf("%w: %s answers %s", ErrNotIngest, resp.Request.URL.Host, resp.Status)
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	p.Status, p.RetryAfter = resp.StatusCode, time.Duration(seconds)*time.Second
	return p
}

var (
	// ErrUnreachable is in the chain of every error that means that no whole HTTP response arrived.
	ErrUnreachable = errors.New("ingest cannot be reached")
	// ErrNotIngest is in the chain of every error that means that another server has answered, such as a proxy.
	ErrNotIngest = errors.New("not an answer of ingest")
)

// IsTemporary reports whether the service was unreachable or unavailable, so that the same call may succeed later.
func IsTemporary(err error) bool {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Status == http.StatusServiceUnavailable
	}
	return errors.Is(err, ErrUnreachable)
}

// IsNotFound reports whether ingest knows no such store, dead letter, rollout or hold.
func IsNotFound(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusNotFound
}
