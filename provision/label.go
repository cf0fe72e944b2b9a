package provision

import (
	"crypto/sha256"
	"encoding/hex"
)

// LabelStore is the key of the label that says which store an object of the cluster belongs to. The store's namespace
// carries it, and so does every object and every pod template of its chart: ownership, readiness and the search for a
// store without a record use it.
const LabelStore = "orchestrator/store"

// StoreLabel is the value of [LabelStore] for a store: a hash of its id, because an id may have characters and a length
// that a label value may not have, and because labels are visible to people who need not know the store.
func StoreLabel(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}
