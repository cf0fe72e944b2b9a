package provision

import "time"

// EventKind says what has happened to a store.
type EventKind string

// The kinds of events. Accepted and outcome are of a generation; delivered and refused are the backend's answer to a callback; undelivered is one that is tried again.
const (
	EventAccepted    EventKind = "accepted"
	EventOutcome     EventKind = "outcome"
	EventDelivered   EventKind = "delivered"
	EventRefused     EventKind = "refused"
	EventUndelivered EventKind = "undelivered"
	EventStep        EventKind = "step"
)

// Event is something that has happened to a store. It is for people and programs to read; no decision is made from it.
type Event struct {
	ID         string    `json:"id"` // its place in the order of events: what is after it has a later one
	At         time.Time `json:"at"`
	StoreID    string    `json:"store_id"`
	Kind       EventKind `json:"kind"`
	Generation int64     `json:"generation"`
	Op         Op        `json:"op,omitempty"`
	Status     Status    `json:"status,omitempty"`
	Code       Code      `json:"code,omitempty"`
	Error      string    `json:"error,omitempty"` // the public text
	By         string    `json:"by,omitempty"`    // the name of the token that asked for the generation
	Step       *Step     `json:"step,omitempty"`  // of the kind step
}

// Generation is how one generation of a store stands, or has ended.
type Generation struct {
	Generation  int64     `json:"generation"`
	Op          Op        `json:"op"`
	Status      Status    `json:"status"`
	Code        Code      `json:"code,omitempty"`
	Error       string    `json:"error,omitempty"` // the public text
	RequestedBy string    `json:"requested_by,omitempty"`
	RequestID   string    `json:"request_id,omitempty"`
	AcceptedAt  time.Time `json:"accepted_at"`
	DecidedAt   time.Time `json:"decided_at,omitzero"` // of the outcome
}
