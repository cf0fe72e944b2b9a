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

// Delivery is one try to deliver a callback to the backend.
type Delivery struct {
	At         time.Time `json:"at"`
	CallbackID string    `json:"callback_id"`
	Generation int64     `json:"generation"`
	Sequence   int64     `json:"sequence"`
	Status     Status    `json:"status"` // that was told
	Result     string    `json:"result"` // delivered, retry, unauthorized, refused, or unsent where the password could not be read
	Millis     int64     `json:"millis"`
	HTTPStatus int       `json:"http_status,omitempty"` // 0: no answer
	Answer     string    `json:"answer,omitempty"`      // the beginning of it, 256 bytes at most, without secrets
	Reason     string    `json:"reason,omitempty"`      // why there was no answer
	NextAt     time.Time `json:"next_at,omitzero"`      // when it is tried again
}

// DeadLetter is a dead letter: a callback that the backend refused for good, kept so that an operator can send it again.
type DeadLetter struct {
	ID         string    `json:"id"` // the callback's webhook-id, under which it is sent again
	StoreID    string    `json:"store_id"`
	Generation int64     `json:"generation"`
	Sequence   int64     `json:"sequence"`
	Status     Status    `json:"status"`
	Code       Code      `json:"code,omitempty"`
	Error      string    `json:"error,omitempty"`
	Reason     string    `json:"reason"`     // what the backend answered, about a kilobyte at most
	At         time.Time `json:"at"`         // when the status was reached
	RefusedAt  time.Time `json:"refused_at"` // when it was last refused
}

// DeadLetters is a page of the list of dead letters, the last refused first.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"dead_letters"`
	Next        string       `json:"next,omitempty"` // cursor of the next page; "" on the last one
}

// ReplayResult is the result of the request to send a dead letter again.
type ReplayResult string

// Only ReplayQueued means that the backend will receive it.
const (
	ReplayQueued  ReplayResult = "queued"  // it waits among the store's callbacks
	ReplayDropped ReplayResult = "dropped" // a newer outcome of the store replaced it; the dead letter is deleted
	ReplayUnknown ReplayResult = "unknown" // there is no such dead letter
)
