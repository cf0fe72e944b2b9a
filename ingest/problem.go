package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// kind is a class of problems. Its name is part of the URN that callers may compare, so it does not change.
type kind struct {
	status     int
	name       string
	title      string
	retryAfter int // seconds; 0 means that a retry does not help
}

var (
	malformed    = kind{http.StatusBadRequest, "malformed", "The request is malformed", 0}
	unauthorized = kind{http.StatusUnauthorized, "unauthorized", "The token is missing or wrong", 0}
	forbidden    = kind{http.StatusForbidden, "forbidden", "The token lacks a scope", 0}
	noRoute      = kind{http.StatusNotFound, "no-route", "The path does not exist", 0}
	noRollout    = kind{http.StatusNotFound, "no-rollout", "There is no rollout", 0}
	noHold       = kind{http.StatusNotFound, "no-hold", "No store waits there", 0}
	noStore      = kind{http.StatusNotFound, "no-store", "The store does not exist", 0}
	noDeadLetter = kind{http.StatusNotFound, "dead-letter-not-found", "The dead letter does not exist", 0}
	noMethod     = kind{http.StatusMethodNotAllowed, "no-method", "The path does not support this method", 0}
	conflict     = kind{http.StatusConflict, "conflict", "The request conflicts with an existing store", 0}
	moved        = kind{http.StatusPreconditionFailed, "generation-changed", "The store has a newer generation", 0}
	quotaReached = kind{http.StatusTooManyRequests, "quota", "The creator has as many stores as it may have", 0}
	manyStreams  = kind{http.StatusTooManyRequests, "too-many-streams", "The token has too many streams open", 60}
	tooLarge     = kind{http.StatusRequestEntityTooLarge, "too-large", "The body is too large", 0}
	invalid      = kind{http.StatusUnprocessableEntity, "invalid", "The request is invalid", 0}
	internal     = kind{http.StatusInternalServerError, "internal", "An internal error occurred", 0}
	unavailable  = kind{http.StatusServiceUnavailable, "unavailable", "The service is temporarily unavailable", 5}
)

// problem is an error as the caller sees it: an RFC 9457 document.
type problem struct {
	Type     string                 `json:"type"`
	Title    string                 `json:"title"`
	Status   int                    `json:"status"`
	Detail   string                 `json:"detail"`
	Instance string                 `json:"instance,omitempty"` // the request's id, as in the log
	Errors   []provision.FieldError `json:"errors,omitempty"`

	kind  kind
	cause error // for the log
}

func (k kind) problem(detail string) *problem {
	return &problem{Type: "urn:orchestrator:problem:" + k.name, Title: k.title, Status: k.status, Detail: detail, kind: k}
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }
func (p *problem) Unwrap() error { return p.cause }

// withCause adds an error that is logged and not shown to the caller.
func (p *problem) withCause(cause error) *problem {
	p.cause = cause
	return p
}

// invalidFields returns a problem with one entry per field. The detail repeats all of them, because some callers read
// nothing else.
func invalidFields(bad []provision.FieldError) *problem {
	var all []string
	for _, e := range bad {
		all = append(all, e.Field+" "+e.Detail)
	}
	p := invalid.problem(strings.Join(all, "; "))
	p.Errors = bad
	return p
}

// asProblem returns the problem document that the caller gets for err.
func asProblem(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		return problemOfRouter(e)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return unavailable.problem("the store database did not answer in time").withCause(err)
	}
	public := provision.Public(err)
	switch provision.CodeOf(err) {
	case provision.CodeConflict:
		return conflict.problem(public)
	case provision.CodeQuota:
		return quotaReached.problem(public)
	case provision.CodeSuperseded:
		return moved.problem(public)
	case provision.CodeInvalid:
		return invalid.problem(public)
	case provision.CodeUnavailable:
		return unavailable.problem(public).withCause(err)
	default: // an outcome of a run is not expected here
		return internal.problem("the cause is in the service's log, under the request id given in instance").withCause(err)
	}
}

// problemOfRouter translates the errors of Echo's router.
func problemOfRouter(e *echo.HTTPError) *problem {
	switch e.Code {
	case http.StatusNotFound:
		return noRoute.problem("the paths are described at /openapi.yaml")
	case http.StatusMethodNotAllowed:
		return noMethod.problem("the header Allow lists the methods of this path")
	}
	return internal.problem("the request could not be routed").withCause(e)
}

// answerError is Echo's error handler.
func (s *server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := asProblem(err)
	p.Instance = c.Response().Header().Get(echo.HeaderXRequestID)
	if p.kind.retryAfter > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(p.kind.retryAfter))
	}
	body, err := json.Marshal(p)
	if err == nil {
		err = c.Blob(p.Status, "application/problem+json", body)
	}
	if err != nil {
		s.Log.Warn("cannot send a response", "request_id", p.Instance, "error", err)
	}
}
