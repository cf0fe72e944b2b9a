package provision

import (
	"cmp"
	"maps"
	"strings"
	"time"
)

// Status is the status of a store as the callbacks report it.
type Status string

// The statuses of the contract. Provisioning and Deleting are progress; the others are outcomes. Suspended is told of stores only that were
// asked to be.
const (
	StatusProvisioning Status = "PROVISIONING"
	StatusReady        Status = "READY"
	StatusSuspended    Status = "SUSPENDED"
	StatusFailed       Status = "FAILED"
	StatusDeleting     Status = "DELETING"
	StatusDeleted      Status = "DELETED"
	StatusDeleteFailed Status = "DELETE_FAILED"
)

// Succeeded reports whether the status is an outcome that nothing later may change.
func (s Status) Succeeded() bool {
	return s == StatusReady || s == StatusSuspended || s == StatusDeleted
}

// Final reports whether the status is an outcome.
func (s Status) Final() bool {
	return s.Succeeded() || s == StatusFailed || s == StatusDeleteFailed
}

// Progress is the status of an operation that has begun and has no outcome yet.
func (op Op) Progress() Status {
	if op == OpDelete {
		return StatusDeleting
	}
	return StatusProvisioning
}

// Statuses are all of them.
var Statuses = []Status{StatusProvisioning, StatusReady, StatusSuspended, StatusFailed, StatusDeleting, StatusDeleted, StatusDeleteFailed}

// Success is the outcome of an operation that returned no error, on a store that is not suspended.
func (op Op) Success() Status {
	if op == OpDelete {
		return StatusDeleted
	}
	return StatusReady
}

// Success is the outcome of an operation on this store that returned no error.
func (s Store) Success(op Op) Status {
	if op == OpProvision && s.Suspended {
		return StatusSuspended
	}
	return op.Success()
}

// Failure is the outcome of an operation that ended with an error.
func (op Op) Failure() Status {
	if op == OpDelete {
		return StatusDeleteFailed
	}
	return StatusFailed
}

// State is what the API shows about one store. It is for people and programs to read; no decision is made from it.
type State struct {
	StoreID   string `json:"store_id"`
	Name      string `json:"name,omitempty"`
	Engine    string `json:"engine,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Host      string `json:"host,omitempty"`
	StoreURL  string `json:"store_url,omitempty"`
	CreatorID string `json:"creator_id,omitempty"`
	Cluster   string `json:"cluster,omitempty"` // where the store lives; "": on [DefaultCluster]
	Action    Op     `json:"action"`
	// Request is the newest provision as it was accepted, whole; only where one store is shown.
	Request     *Request  `json:"request,omitempty"`
	Generation  int64     `json:"generation"`
	TaskID      string    `json:"task_id"`
	Status      Status    `json:"status"`
	Code        Code      `json:"code,omitempty"`
	Error       string    `json:"error,omitempty"`
	Attempts    int       `json:"attempts"`               // runs that ended in a counted error
	Crashes     int       `json:"crashes"`                // runs that did not return
	Running     bool      `json:"running"`                // a worker holds the store's lease now
	RequestedBy string    `json:"requested_by,omitempty"` // the name of the token that asked for this generation; "": the service itself
	RequestID   string    `json:"request_id,omitempty"`   // of that request, as in ingest's log
	AcceptedAt  time.Time `json:"accepted_at"`
	Deadline    time.Time `json:"deadline"`
	DecidedAt   time.Time `json:"decided_at,omitzero"`
	NextRunAt   time.Time `json:"next_run_at,omitzero"` // of a generation whose last run is to be tried again; tasks may wait longer in a full queue
	// Outputs are values read from the running shop, for storefronts and others to use.
	Outputs Outputs `json:"outputs,omitempty"`
	// Suspended says that the newest request leaves the shop stopped, or stops it; SuspendReason is what was said about it.
	Suspended     bool   `json:"suspended,omitempty"`
	SuspendReason string `json:"suspend_reason,omitempty"`
	// DeleteAt is set for a store that is suspended and will be deleted then, unless anything is asked of it before.
	DeleteAt time.Time `json:"delete_at,omitzero"`
	// Protected says that no delete of the store is accepted.
	Protected bool `json:"protected,omitempty"`
	// RetainData is set for a delete that keeps namespace, credentials and volumes.
	RetainData bool `json:"retain_data,omitempty"`
	// PendingCallbacks is the number of callbacks that the backend has not answered with 2xx; 0 with an outcome means that all are delivered.
	PendingCallbacks int `json:"pending_callbacks"`
	// DeadLetterID is the id of the last callback that the backend refused, a dead letter, until it is sent again or the backend
	// has confirmed a later one.
	DeadLetterID string `json:"dead_letter_id,omitempty"`
	// ContestedBy is the last store that was refused because of a host or namespace that this one owns, since this one's last request and the last
	// callback that the backend confirmed.
	ContestedBy string `json:"contested_by,omitempty"`
	// DeleteGeneration is set while an older delete has to end before this generation can begin.
	DeleteGeneration int64 `json:"delete_generation,omitempty"`
	// CreatorInProgress is set while the generation waits for another new store of its creator to finish: it is the number of
	// those in progress, which is the limit.
	CreatorInProgress int `json:"creator_in_progress,omitempty"`
	// Edition is what the store shares with others of its engine: chart, and the values of environment and installation. Outdated says that a new
	// store gets another one.
	Edition  string `json:"edition,omitempty"`
	Outdated bool   `json:"outdated,omitempty"`
	// Drift is what the last audit has found changed, and left; AuditedAt is when that was.
	Drift     []Difference `json:"drift,omitempty"`
	AuditedAt time.Time    `json:"audited_at,omitzero"`
	// Backup is the last good backup; BackupFailure is set while those since have failed.
	Backup        *Backup        `json:"backup,omitempty"`
	BackupFailure *BackupFailure `json:"backup_failure,omitempty"`
	// RestoreTest is the last backup that was restored to prove it; RestoreTestFailure is set while those since have failed.
	RestoreTest        *RestoreTest   `json:"restore_test,omitempty"`
	RestoreTestFailure *BackupFailure `json:"restore_test_failure,omitempty"`
	// BackupRequestedAt is when a backup was asked for that has neither been made nor failed yet.
	BackupRequestedAt time.Time `json:"backup_requested_at,omitzero"`
	// Backups are those that are known, the newest first, [MaxBackups] at most; of a single store only.
	Backups []Backup `json:"backups,omitempty"`
	// Restore is set from the request for a restore until the store is READY with it, or is deleted.
	Restore *Restore `json:"restore,omitempty"`
	// Unwell says which pods of a store that should run have not been available for minutes.
	Unwell string `json:"unwell,omitempty"`
	// OnHoldSince is set while the generation waits since others of its engine and cluster have failed for one cause ([Hold]). The time does not
	// count against its deadline.
	OnHoldSince time.Time `json:"on_hold_since,omitzero"`
	Steps       []Step    `json:"steps,omitempty"`
	// History are the generations of the store, the newest first, 20 at most; Deliveries are those of its callbacks, the latest first, 50 at most, of
	// the last 30 days. Only where one store is shown.
	History    []Generation `json:"history,omitempty"`
	Deliveries []Delivery   `json:"deliveries,omitempty"`
	// WaitsFor is what the run that is under way waits for just now: what is not ready, and why. Only where one store is shown.
	WaitsFor string `json:"waits_for,omitempty"`
	// Explanation is why the store is where it is, and what may be asked of it. Only where one store is shown.
	Explanation *Explanation `json:"explanation,omitempty"`
}

// StoreFilter chooses stores; "" chooses all. Stores that are deleted are chosen by their status only, or by no filter at all.
type StoreFilter struct {
	Status  Status
	Code    Code // of the outcome
	Engine  string
	Cluster string // [DefaultCluster] for those that are on none by name
	Creator string
	Query   string // the beginning of an id, a name or a host, in any case
}

// Fields are the values that choose, by the names of the fields in the API.
func (f StoreFilter) Fields() map[string]string {
	all := map[string]string{"status": string(f.Status), "code": string(f.Code), "engine": f.Engine, "cluster": f.Cluster, "creator": f.Creator, "q": f.Query}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// Matches reports whether the filter chooses a store.
func (f StoreFilter) Matches(s State) bool {
	begins := func(text string) bool { return strings.HasPrefix(strings.ToLower(text), strings.ToLower(f.Query)) }
	switch {
	case f.Status != "" && s.Status != f.Status, f.Code != "" && s.Code != f.Code, f.Engine != "" && s.Engine != f.Engine, f.Creator != "" && s.CreatorID != f.Creator:
		return false
	case f.Cluster != "" && cmp.Or(s.Cluster, DefaultCluster) != f.Cluster:
		return false
	case f.Status == "" && s.Status == StatusDeleted && !s.RetainData:
		return f == StoreFilter{}
	}
	return begins(s.StoreID) || begins(s.Name) || begins(s.Host)
}

// Summary counts stores by what they can be filtered by. Stores that are deleted are not counted, unless their data is retained. Only values that some store has are
// there.
type Summary struct {
	Stores  int64            `json:"stores"`
	Status  map[Status]int64 `json:"status"`
	Code    map[Code]int64   `json:"code"` // of the outcome, where that is a failure
	Engine  map[string]int64 `json:"engine"`
	Cluster map[string]int64 `json:"cluster"`
	// DeadLetters is the number of callbacks that the backend has refused.
	DeadLetters int64 `json:"dead_letters"`
	// Oldest are the stores that are under way the longest, the longest first, ten at most.
	Oldest []State `json:"oldest"`
}

// Page is a part of the list of stores, newest accepted first.
type Page struct {
	Stores []State `json:"stores"`
	Next   string  `json:"next,omitempty"` // cursor of the next page; "" on the last one
}

// Outcome is how one generation has ended.
type Outcome struct {
	Generation int64   `json:"generation"`
	Status     Status  `json:"status"`
	Code       Code    `json:"code,omitempty"`
	Error      string  `json:"error,omitempty"`   // the public text
	Outputs    Outputs `json:"outputs,omitempty"` // of READY
}

// SavedStores are the stores that the cluster has saved something about.
type SavedStores struct {
	Stores       []SavedState
	Foreign      map[string]int // how many belong to each other installation, by its name; "" for one without a name
	RestoreTests []SavedRestoreTest
}

// SavedRestoreTest is a restore test that is under way, or was left behind.
type SavedRestoreTest struct {
	Store Store // that is tested
	Began time.Time
}

// SavedState is what the cluster has saved about a store whose record was lost.
type SavedState struct {
	Store     Store    // the newest request whose run began, and the newest generation that wrote to the namespace
	Op        Op       // the operation of that generation
	Outcome   *Outcome // nil while there is none
	Delivered bool     // the backend has confirmed the outcome
	Backup    *Backup  // the last good one; nil: none is known
	// RestoreTest is the last one that has passed; nil: none is known.
	RestoreTest *RestoreTest
	// Assumed says that the outcome is what the backend was told, and that the cluster knows no more of it.
	Assumed bool
}
