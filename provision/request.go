package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Op is the operation that a request asks for.
type Op string

// The two operations on a store.
const (
	OpProvision Op = "provision"
	OpDelete    Op = "delete"
)

// Request is the whole desired state of one store, as the backend posted it. Absent settings mean defaults, so two
// requests that say the same are equal ([Request.Digest]).
//
// A request of [OpDelete] needs only the StoreID; besides it, it may have RetainData.
type Request struct {
	StoreID   string   `json:"store_id"`
	Name      string   `json:"name,omitempty"`
	Engine    string   `json:"engine,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Host      string   `json:"host,omitempty"`
	StoreURL  string   `json:"store_url,omitempty"`
	BaseURL   string   `json:"base_url,omitempty"`
	CreatorID string   `json:"creator_id,omitempty"`
	Cluster   string   `json:"cluster,omitempty"` // where the caller wants the store, or where it lives; "": on any, or on [DefaultCluster]
	Action    Op       `json:"action"`
	Settings  Settings `json:"settings,omitzero"`
	// RetainData belongs to a delete: the shop stops and its address is given back, while namespace, Secret and volumes
	// stay for a later provision of the same store.
	RetainData bool `json:"retain_data,omitempty"`
	// Suspend stops the shop or starts it again; nil leaves it as it is, so that the part of a backend that changes a title need not know who has paid. It is
	// kept beside the request, and is no part of what makes two of them equal.
	Suspend *bool `json:"-"`
}

// Settings configure the shop. The zero value of a field means the engine's default.
type Settings struct {
	Title         string `json:"title,omitempty"`
	AdminEmail    string `json:"admin_email,omitempty"`
	Currency      string `json:"currency,omitempty"` // ISO 4217, upper case
	Country       string `json:"country,omitempty"`  // ISO 3166-1 alpha-2, upper case
	Locale        string `json:"locale,omitempty"`   // language_COUNTRY: de_DE
	SampleProduct bool   `json:"sample_product,omitempty"`
}

// Digest is equal for two requests if and only if they ask for the same state. For a delete it depends only on the operation
// and on retain_data, since everything else about the store is known from its record.
func (r Request) Digest() string {
	switch {
	case r.Action == OpDelete && r.RetainData:
		return string(OpDelete) + " retain_data"
	case r.Action == OpDelete:
		return string(OpDelete)
	}
	r.Cluster = "" // where a store lives is not part of its state
	text, err := json.Marshal(r)
	if err != nil {
		panic("provision: a request of plain strings did not marshal: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Store is one generation of a store: what a run acts on. A newer request of the same store has a higher generation.
type Store struct {
	Request
	Generation int64   `json:"generation"`
	Force      []Force `json:"-"` // of the retry that asked for this generation
	Suspended  bool    `json:"-"` // the shop is to be stopped, and everything of it kept
	Protected  bool    `json:"-"` // no delete of the store is accepted
	Grave      *Grave  `json:"-"` // the store is to be deleted; nil: it is not
	// Rotation is the generation of the newest request to rotate the store's credentials; 0: there was none.
	Rotation int64 `json:"-"`
	// Restore is a restore that has not come to its READY; nil: there is none.
	Restore *Restore `json:"-"`
	// Restoring says that the run has everything of the store stopped but its database.
	Restoring bool `json:"-"`
	// RestoreTest says that this is a copy of the store, beside it, that is made of Restore to test a backup.
	RestoreTest bool `json:"-"`
	// OnHold is how long this generation has waited on a hold: it does not count against its readiness budget.
	OnHold time.Duration `json:"-"`
}

// Grave says when a store that is suspended is to be deleted, unless anything is asked of it before.
type Grave struct {
	At         time.Time
	RetainData bool
	Quiet      bool // the backend is told nothing before DELETED: it knows nothing of grace
	Suspended  bool // with Quiet: it was suspended before; otherwise the next provision starts it again
}

// Grace is how long a store is kept before it is deleted, and how it is deleted then.
type Grace struct {
	For        time.Duration
	RetainData bool
	Quiet      bool // as in [Grave]
}

// ReleaseName is the name of the store's Helm release and of its Service, and the beginning of its other objects' names. It is
// the store's name with a letter before it where that begins with a digit: until Kubernetes 1.36 a Service's name could not.
func (r Request) ReleaseName() string {
	if r.Name == "" || r.Name[0] < '0' || r.Name[0] > '9' {
		return r.Name
	}
	name := "s-" + r.Name
	return strings.TrimRight(name[:min(len(name), maxName)], "-")
}

// Accepted is the answer to a request that was recorded.
type Accepted struct {
	Action     Op
	Generation int64
	TaskID     string
	// Joined says that an equal request was in progress already, and that this one shares its generation and its outcome.
	Joined bool
	// Cluster is where its task is queued; "" is the default one.
	Cluster string
	// JoinedTrace is the trace of the request that this one has joined, as [Origin].Trace.
	JoinedTrace string
}

// Force is what a run does again although the cluster says that it was done.
type Force string

// What a retry may force.
const (
	ForceApply   Force = "apply"   // the release is upgraded although its chart and values are the same
	ForceUpgrade Force = "upgrade" // the release gets the chart and the shared values that a new store gets
	ForceVerify  Force = "verify"  // the shop is verified as a new one is, whatever its owner has changed since
)

// Forces are all of them.
var Forces = []Force{ForceApply, ForceUpgrade, ForceVerify}

// Forced reports whether the run has to do this again.
func (s Store) Forced(f Force) bool { return slices.Contains(s.Force, f) }

// Cancelled is the answer to a cancel: the generation that was given up, and its outcome.
type Cancelled struct {
	Action     Op
	Generation int64
	Status     Status
}

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

// maxReason is how many characters the reason of a suspension may have.
const maxReason = 200

// CheckReason says what is wrong with the reason of a suspension, "" where nothing is.
func CheckReason(reason string) string {
	if utf8.RuneCountInString(reason) > maxReason || strings.ContainsFunc(reason, unicode.IsControl) {
		return fmt.Sprintf("must have at most %d characters, and none that controls a terminal", maxReason)
	}
	return ""
}
