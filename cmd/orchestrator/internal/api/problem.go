package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"orchestrator/provision"
)

// Problem is an error response of ingest, as RFC 9457 defines it.
type Problem struct {
	Type     string                 `json:"type"`
	Title    string                 `json:"title"`
	Status   int                    `json:"status"`
	Detail   string                 `json:"detail"`
	Instance string                 `json:"instance,omitempty"`
	Errors   []provision.FieldError `json:"errors,omitempty"`

	retryAfter string
}

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
	case p.Status == http.StatusUnauthorized:
		return "; set ORCHESTRATOR_TOKEN to the token that ingest was started with"
	case p.retryAfter != "":
		return "; try again in " + p.retryAfter + " s"
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
		return fmt.Errorf("%s answers %s, but not by ingest: check ORCHESTRATOR_URL", resp.Request.URL.Host, resp.Status)
	}
	p.Status, p.retryAfter = resp.StatusCode, resp.Header.Get("Retry-After")
	return p
}

// IsTemporary reports whether the service was unreachable or unavailable, so that the same call may succeed later.
func IsTemporary(err error) bool {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Status == http.StatusServiceUnavailable
	}
	return errors.Is(err, ErrUnreachable)
}

// IsNotFound reports whether ingest knows no such store.
func IsNotFound(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Status == http.StatusNotFound
}
