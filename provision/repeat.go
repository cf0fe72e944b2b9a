package provision

import "slices"

// Force is what a run does again although the cluster says that it was done.
type Force string

// What a retry may force.
const (
	ForceApply  Force = "apply"  // the release is upgraded although its chart and values are the same
	ForceVerify Force = "verify" // the shop is verified as a new one is, whatever its owner has changed since
)

// Forces are all of them.
var Forces = []Force{ForceApply, ForceVerify}

// Forced reports whether the run has to do this again.
func (s Store) Forced(f Force) bool { return slices.Contains(s.Force, f) }

// Cancelled is the answer to a cancel: the generation that was given up, and its outcome.
type Cancelled struct {
	Action     Op
	Generation int64
	Status     Status
}
