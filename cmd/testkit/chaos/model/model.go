// Package model compares what was requested with the state of the installation: requests as their client saw them, callbacks
// as the backend received them, and what is in the cluster and in Redis. It is pure: it does no I/O.
package model

import (
	"time"

	"orchestrator/provision"
)

// Answer is what a client knows about a request that it sent.
type Answer int

// The answers.
const (
	Accepted  Answer = iota // 202
	Uncertain               // 503 or no response: it may have been recorded
	Refused                 // any other status: it was not recorded
)

// Request is a request as its client sent it.
type Request struct {
	provision.Request
	Sent       time.Time
	Answer     Answer
	Rotates    bool   // it asks for other credentials besides
	Generation int64  // if it was accepted
	Response   string // status and body, if it was refused
}

// Delivery is a callback as it arrived.
type Delivery struct {
	ID           string // webhook-id
	Generation   int64
	Sequence     int64
	Status       provision.Status
	URL          string
	Error        string
	Password     string
	Acknowledged bool // the backend responded with 2xx
	Concurrent   bool // another callback of the store had no response yet
	Losses       int  // how often Redis had lost its data before
}

// Store is everything that is known about one store.
type Store struct {
	ID         string
	Requests   []Request  // in the order they were sent
	Deliveries []Delivery // in the order they arrived
	Wiped      int        // how often its namespace was deleted by hand
	Ambiguous  bool       // ingest lost a reply of Redis: a request may have been recorded twice
	Losses     int        // how often Redis lost its data, while nothing was outstanding
	Found      Found
}

// Found is what the cluster and Redis hold of one store.
type Found struct {
	Namespace       *Namespace // nil if there is none
	Revisions       []string   // the status of each of Helm's records of the release
	Title           string     // as the shop's pods read it
	URL             string     // as the shop's pods read it
	Hosts           []string   // of its ingresses
	Password        string     // in the Secret; "" if there is none
	Rotated         int64      // the request for other credentials that they are as new as, by the Secret; 0 if none
	Rotating        bool       // the Secret has credentials that the shop may not have
	Claims          int        // volume claims
	Unbound         int        // volume claims without a volume
	Volumes         int        // volumes that name its namespace
	Record          Record
	OwnedHosts      []string // in the index of hosts
	OwnedNamespaces []string // in the index of namespaces
	DeadLetters     int      // callbacks that are not delivered any more
}

// Namespace is the metadata of the store's namespace.
type Namespace struct {
	Label, StoreID string
	Generation     int64
	Op             provision.Op
	Delivered      string // the generation and the outcome that the backend was told
	Terminating    bool
}

// Record is what Redis holds of the store.
type Record struct {
	Generation       int64
	Op               provision.Op
	Digest           string
	Decided          bool
	Status           provision.Status
	PendingCallbacks int
	Deleting         bool // a delete has not ended
	Lease            bool // a run holds the store's lease
	Claim            bool // a delivery has claimed the store's callbacks
	Outstanding      bool // the sweeper still watches it
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
	Crossed   Kind = "crossed"
)

// Kinds are all kinds, in the order they are printed.
var Kinds = []Kind{Lost, Wrong, Stuck, Leaked, Duplicate, Crossed}

// Finding is a difference between the expected and the actual state.
type Finding struct {
	Kind            Kind
	Store           string
	Expected, Found string
}
