package provision

import "time"

// DeadLetter is a dead letter: a callback that the backend refused for good, kept for a person to send it again.
type DeadLetter struct {
	ID         string    `json:"id"` // the callback's webhook-id, under which it is sent again
	StoreID    string    `json:"store_id"`
	Generation int64     `json:"generation"`
	Sequence   int64     `json:"sequence"`
	Status     Status    `json:"status"`
	Code       Code      `json:"code,omitempty"`
	Error      string    `json:"error,omitempty"`
	Reason     string    `json:"reason"`  // what the backend answered, about a kilobyte at most
	At         time.Time `json:"at"`      // when it became true
	DiedAt     time.Time `json:"died_at"` // when it was refused last
}

// DeadLetters is a part of the list of dead letters, the latest refused first.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"letters"`
	Next        string       `json:"next,omitempty"` // cursor of the next page; "" on the last one
}

// ReplayResult is what became of a dead letter that was to be sent again.
type ReplayResult string

// Only ReplayQueued means that the backend will hear it.
const (
	ReplayQueued  ReplayResult = "queued"  // it waits for its turn among the store's callbacks
	ReplayDropped ReplayResult = "dropped" // a newer truth about the store took its place; the letter is gone
	ReplayUnknown ReplayResult = "unknown" // there is no such letter
)
