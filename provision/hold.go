package provision

import "time"

// Hold keeps the provisions of one engine on one cluster waiting: several creators' stores have failed within minutes, for one cause that is the
// installation's. One store a minute is tried all the same; the first success, or an operator, lets all go on.
type Hold struct {
	Cluster string    `json:"cluster"`
	Engine  string    `json:"engine"`
	Code    Code      `json:"code"`
	Error   string    `json:"error"`    // the public text of the failure that made it
	Since   time.Time `json:"since"`    // by Redis' clock, as the next
	ProbeAt time.Time `json:"probe_at"` // the next run after this time is tried
	Stores  int64     `json:"stores"`   // that wait, about
}

// Holds is the list of them.
type Holds struct {
	Holds []Hold `json:"holds"`
}
