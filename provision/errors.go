package provision

import (
	"errors"
	"fmt"
)

// Code is the kind of a failure. It decides whether the run is retried.
type Code string

// Final codes: a retry without a change would fail the same way. The generation ends as a failure.
const (
	CodeInvalid       Code = "invalid"       // the request or the chart cannot be carried out as written
	CodeConflict      Code = "conflict"      // an object that does not belong to this store is in the way
	CodeTimeout       Code = "timeout"       // a budget ran out
	CodeImage         Code = "image"         // an image cannot be pulled
	CodeCrash         Code = "crash"         // a container keeps exiting
	CodeQuota         Code = "quota"         // a quota or an admission rule refuses objects
	CodeUnschedulable Code = "unschedulable" // a pod fits on no node
	CodeVolume        Code = "volume"        // a volume cannot be bound
	CodeLost          Code = "lost"          // the store's cluster was given up, and the store with it
	CodeCancelled     Code = "cancelled"     // the request was cancelled before it was carried out
)

// Codes that are retried. Busy, Superseded and Unavailable are not counted as attempts; Blocked and Internal are.
const (
	CodeBusy        Code = "busy"        // another run holds the store, or a delete has to end first
	CodeSuperseded  Code = "superseded"  // a newer request replaced this one: the run ends without a callback
	CodeUnavailable Code = "unavailable" // the API server, Redis or the network does not respond
	CodeBlocked     Code = "blocked"     // the API server answers, and cannot write until it is repaired: a webhook is away, its storage is full
	CodeInternal    Code = "internal"    // everything else
)

// Codes are those that an outcome may have.
var Codes = []Code{CodeInvalid, CodeConflict, CodeTimeout, CodeImage, CodeCrash, CodeQuota, CodeUnschedulable, CodeVolume, CodeLost, CodeCancelled, CodeBlocked, CodeInternal}

// Final reports whether an error of this code ends the generation.
func (c Code) Final() bool {
	switch c {
	case CodeInvalid, CodeConflict, CodeTimeout, CodeImage, CodeCrash, CodeQuota, CodeUnschedulable, CodeVolume, CodeLost, CodeCancelled:
		return true
	case CodeBusy, CodeSuperseded, CodeUnavailable, CodeBlocked, CodeInternal:
	}
	return false
}

// Error is a failure with a code. Message is sent to the caller: it says what happened to which object and what to do, and
// holds no internals and no secrets. Cause is for the log and may be nil.
type Error struct {
	Code    Code
	Message string
	Cause   error
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

// Errorf returns an Error without a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an Error with a cause, whose text appears in the log only.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// ErrNoCredentials says that the store's Secret, or the entry asked for, does not exist.
var ErrNoCredentials = errors.New("the store has no such credential")

// CodeOf returns the code of the outermost Error in err's chain, and [CodeInternal] where there is none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Public is the text of err for the caller: the message of its Error, and a fixed sentence for everything else, since
// an unexpected error may contain internals.
func Public(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != CodeInternal {
		return e.Message
	}
	return "an internal error occurred; the operators can see its cause under this store's id"
}
