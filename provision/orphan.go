package provision

import "time"

// OrphanKind says why a store may be an orphan: one that may no longer be wanted, but that costs money or holds a host.
type OrphanKind string

// The kinds of orphans. A store is of the first one that is true of it.
const (
	OrphanForgotten OrphanKind = "forgotten" // the backend answered its last outcome with 404 or 410: it does not know the store
	OrphanContested OrphanKind = "contested" // another store was refused because of a host or namespace that this one owns
	OrphanRetained  OrphanKind = "retained"  // the store is deleted, its data was retained
	OrphanFailed    OrphanKind = "failed"    // the store was never READY, and its last request has failed
)

// OrphanKinds are all kinds.
var OrphanKinds = []OrphanKind{OrphanForgotten, OrphanContested, OrphanRetained, OrphanFailed}

// Orphan is a store that is of one of the kinds.
type Orphan struct {
	Kind  OrphanKind `json:"kind"`
	Since time.Time  `json:"since"`
	Store State      `json:"store"` // without its steps
}

// Orphans is a page of the orphans of one kind, the latest first.
type Orphans struct {
	Orphans []Orphan `json:"orphans"`
	Next    string   `json:"next,omitempty"` // cursor of the next page; "" on the last one
}
