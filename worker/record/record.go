package record

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// Record is the record of one store as Redis holds it; docs/redis.md describes each field. Scripts write it, and decide by
// it; here it is only read. The zero value is the record of a store that is unknown.
type Record struct {
	Generation  int64        `redis:"generation"` // of the newest request
	Op          provision.Op `redis:"op"`
	RequestJSON string       `redis:"request"` // the newest provision
	Engine      string       `redis:"engine"`
	Cluster     string       `redis:"cluster"` // where the store lives or lived last; "" where the installation names no clusters
	AcceptedAt  millis       `redis:"accepted_at"`
	Deadline    millis       `redis:"deadline"`

	OutcomeGeneration int64            `redis:"outcome_generation"` // equal to Generation once that has its outcome
	Status            provision.Status `redis:"status"`
	Code              provision.Code   `redis:"code"`
	Error             string           `redis:"error"`
	DecidedAt         millis           `redis:"decided_at"`
	OutputsJSON       string           `redis:"outputs"`

	RunGeneration int64 `redis:"run_generation"`
	Attempts      int   `redis:"attempts"`
	Crashes       int   `redis:"crashes"`

	NextRunAt millis `redis:"next_run_at"`

	OpenDelete       int64  `redis:"open_delete"` // generation of the delete that has not ended; 0: none
	RetainData       bool   `redis:"retain_data"`
	ClustersToSearch string `redis:"clusters_to_search"` // of a delete of an unknown store, separated by spaces
	Throttled        int    `redis:"throttled"`          // how many new stores the creator may have in progress; 0: not throttled
	AuditedAt        millis `redis:"audited_at"`
	Edition          string `redis:"edition"`
	Outdated         bool   `redis:"outdated"`
	ReadyGeneration  int64  `redis:"ready_generation"`
	DeleteAt         millis `redis:"delete_at"` // when the store is to be deleted
	DeleteRetains    bool   `redis:"delete_retains"`
	Unwell           string `redis:"unwell"`
	DriftJSON        string `redis:"drifted"`
	BackupJSON       string `redis:"backup"` // the last good one

	RestoreTestJSON        string         `redis:"restore_test"`      // the last one that has passed
	RestoreTestCode        provision.Code `redis:"restore_test_code"` // of the last one, where it has failed
	RestoreTestError       string         `redis:"restore_test_error"`
	RestoreTestFailedSince millis         `redis:"restore_test_failed_since"`

	RestoreJSON       string `redis:"restore"` // the backup that the store is to be restored from
	RestoreGeneration int64  `redis:"restore_generation"`

	BackupRequestedAt millis `redis:"backup_requested_at"` // when a backup was asked for that is not made yet

	BackupCode        provision.Code `redis:"backup_code"` // of the last backup, where it has failed
	BackupError       string         `redis:"backup_error"`
	BackupFailedSince millis         `redis:"backup_failed_since"`

	HeldAt        millis `redis:"held_at"` // since when its newest provision waits on a hold
	DeadLetterID  string `redis:"dead_letter_id"`
	RequestedBy   string `redis:"requested_by"` // the name of the token of the newest request; "": the service itself
	RequestID     string `redis:"request_id"`
	Suspended     bool   `redis:"suspended"`
	SuspendReason string `redis:"suspend_reason"`
	Protected     bool   `redis:"protected"`    // no delete is accepted
	Force         string `redis:"force"`        // what the run of the newest request does again, separated by spaces
	ContestedBy   string `redis:"contested_by"` // the last store that was refused because of what this one owns
}

// millis is a time in milliseconds since 1970 by Redis' clock; 0 is no time.
type millis int64

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// readRecord parses the answer to HGETALL.
func readRecord(answer *redis.MapStringStringCmd) (Record, error) {
	var r Record
	return r, redisconn.WrapError(answer.Scan(&r))
}

func (c client) record(ctx context.Context, storeID string) (Record, error) {
	return readRecord(c.redis.HGetAll(ctx, keyStore(storeID)))
}

// cluster is the cluster that has to run an operation of the store, as run_cluster in lib_placement.lua.
func (r Record) cluster(op provision.Op) string {
	if first, _, _ := strings.Cut(r.ClustersToSearch, " "); op == provision.OpDelete && first != "" {
		return first
	}
	if r.Cluster == "" {
		return provision.DefaultCluster
	}
	return r.Cluster
}

func failureOf(code provision.Code, text string, since millis) *provision.BackupFailure {
	if code == "" {
		return nil
	}
	return &provision.BackupFailure{Code: code, Error: text, Since: since.time()}
}

// runs are the tasks of the generations without an outcome: an open delete, then the newest request.
func (r Record) runs(storeID string) (tasks []queue.Task) {
	add := func(op provision.Op, generation int64) {
		tasks = append(tasks, queue.Task{Op: op, StoreID: storeID, Generation: generation, Cluster: r.cluster(op)})
	}
	if r.OpenDelete > 0 {
		add(provision.OpDelete, r.OpenDelete)
	}
	if r.Generation > 0 && r.Generation != r.OpenDelete && r.OutcomeGeneration != r.Generation {
		add(r.Op, r.Generation)
	}
	return tasks
}

// request is the newest provision, or nil where there was none.
func (r Record) request() *provision.Request {
	var req provision.Request
	if json.Unmarshal([]byte(r.RequestJSON), &req) != nil || req.Action != provision.OpProvision {
		return nil
	}
	return &req
}

// state is what the API shows of the record.
func (r Record) state(id string) provision.State {
	var req provision.Request
	_ = json.Unmarshal([]byte(r.RequestJSON), &req) // shown as far as it goes; a run reports a broken record
	s := provision.State{
		StoreID: id, Name: req.Name, Engine: req.Engine, Namespace: req.Namespace, Host: req.Host, StoreURL: req.StoreURL,
		CreatorID: req.CreatorID, Cluster: r.Cluster, Action: r.Op, Generation: r.Generation, TaskID: queue.TaskID(r.Generation, id),
		Status: r.Op.Progress(), AcceptedAt: r.AcceptedAt.time(), Deadline: r.Deadline.time(),
		RetainData: r.Op == provision.OpDelete && r.RetainData, DeadLetterID: r.DeadLetterID, CreatorInProgress: r.Throttled,
		ContestedBy: r.ContestedBy, RequestedBy: r.RequestedBy, RequestID: r.RequestID,
		Suspended: r.Suspended, SuspendReason: r.SuspendReason, Protected: r.Protected,
	}
	if r.RunGeneration == r.Generation {
		s.Attempts, s.Crashes = r.Attempts, r.Crashes
	}
	if r.RunGeneration == r.Generation && r.OutcomeGeneration != r.Generation {
		s.NextRunAt = r.NextRunAt.time()
	}
	if r.Status != "" {
		s.Status, s.Code, s.Error, s.DecidedAt = r.Status, r.Code, r.Error, r.DecidedAt.time()
	}
	s.OnHoldSince, s.DeleteAt = r.HeldAt.time(), r.DeleteAt.time()
	if r.OpenDelete != r.Generation {
		s.DeleteGeneration = r.OpenDelete
	}
	s.AuditedAt, s.Edition, s.Outdated, s.Unwell = r.AuditedAt.time(), r.Edition, r.Outdated, r.Unwell
	_ = json.Unmarshal([]byte(r.DriftJSON), &s.Drift)
	_ = json.Unmarshal([]byte(r.BackupJSON), &s.Backup)
	s.Restore = restoreOf(r.RestoreJSON, r.RestoreGeneration)
	_ = json.Unmarshal([]byte(r.RestoreTestJSON), &s.RestoreTest)
	s.BackupFailure = failureOf(r.BackupCode, r.BackupError, r.BackupFailedSince)
	s.RestoreTestFailure = failureOf(r.RestoreTestCode, r.RestoreTestError, r.RestoreTestFailedSince)
	s.BackupRequestedAt = r.BackupRequestedAt.time()
	_ = json.Unmarshal([]byte(r.OutputsJSON), &s.Outputs)
	return s
}
