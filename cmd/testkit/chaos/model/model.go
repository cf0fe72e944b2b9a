// Package model compares what was asked for with what came of it. It knows requests as a caller knows them, callbacks
// as a backend gets them, and what a look at the cluster and at Redis found; it asks nobody and starts nothing.
package model

import (
	"time"

	"orchestrator/provision"
)

// Answer is what a caller knows about one request that it sent.
type Answer int

// The answers.
const (
	Accepted Answer = iota // 202
	Perhaps                // 503 or no answer: it was recorded, or it was not
	Refused                // any other answer: it was not
)

// Request is one request as its caller sent it.
type Request struct {
	provision.Request
	Sent       time.Time
	Answer     Answer
	Generation int64  // of an accepted one
	Said       string // what a refusal said
}

// Delivery is one callback as it arrived.
type Delivery struct {
	ID         string // webhook-id
	Generation int64
	Sequence   int64
	Status     provision.Status
	URL        string
	Error      string
	Password   string
	Told       bool // the backend answered 2xx
	Beside     bool // another callback of the store was still being answered
}

// Store is everything about one store.
type Store struct {
	ID         string
	Requests   []Request  // in the order in which they were sent
	Deliveries []Delivery // in the order of their arrival
	Wiped      int        // how often its namespace was deleted by hand
	Blurred    bool       // an answer of Redis to ingest was lost on the way: a request may have been recorded twice
	Found      Found
}

// Found is what a look at the cluster and at Redis found of one store.
type Found struct {
	Namespace  *Namespace // nil: there is none
	Revisions  []string   // the status of each of Helm's records of the release
	Title      string     // as the shop's pods read it
	URL        string     // the same
	Hosts      []string   // of its ingresses
	Password   string     // in the Secret; "" where there is none
	Claims     int        // volume claims
	Unbound    int        // those of them without a volume
	Volumes    int        // volumes that name its namespace
	Record     Record
	OwnHosts   []string // that the index says are the store's
	OwnSpaces  []string // the same of namespaces
	DeadLetter int      // callbacks that were given up
}

// Namespace is what the store's namespace says of itself.
type Namespace struct {
	Label, StoreID string
	Generation     int64
	Op             provision.Op
	Terminating    bool
}

// Record is what Redis holds of the store.
type Record struct {
	Generation int64
	Op         provision.Op
	Digest     string
	Decided    bool
	Untold     int
	Deleting   bool // a delete has not ended
	Gate       bool // somebody holds the gate
	Turn       bool // somebody has the turn
	Open       bool // the sweeper still looks after it
}

// Kind is a class of findings; docs/reliability.md defines each.
type Kind string

// The kinds.
const (
	Lost      Kind = "lost"
	Wrong     Kind = "wrong"
	Stuck     Kind = "stuck"
	Leaked    Kind = "leaked"
	Duplicate Kind = "duplicate-terminal"
)

// Kinds are all of them in the order in which they are printed.
var Kinds = []Kind{Lost, Wrong, Stuck, Leaked, Duplicate}

// Finding is one difference between what should be and what is.
type Finding struct {
	Kind            Kind
	Store           string
	Expected, Found string
}
