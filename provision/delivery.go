package provision

import "time"

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
