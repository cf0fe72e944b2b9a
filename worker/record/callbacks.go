package record

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// Callback is one callback that the backend has not confirmed: the outcome, or the progress, of one generation.
type Callback struct {
	StoreID    string           `json:"store_id,omitempty"`
	Generation int64            `json:"generation,string"`
	Sequence   int64            `json:"sequence,string"`
	Cluster    string           `json:"cluster"` // where the generation ran
	Status     provision.Status `json:"status"`
	Code       provision.Code   `json:"code,omitempty"`
	Error      string           `json:"error,omitempty"`
	At         int64            `json:"at,string"`                    // when the status was recorded, ms since 1970 by Redis' clock
	ReplayedAt int64            `json:"replayed_at,string,omitempty"` // when an operator last replayed it as a dead letter

	Trace string `json:"trace,omitempty"` // of the request, a W3C traceparent

	Store provision.Store `json:"-"` // the store as its newest request has it
}

// ID is the callback's name over all its deliveries: generation.sequence.store.
func (c Callback) ID() string { return c.Task().ID() }

// Task is the task that delivers the callback.
func (c Callback) Task() queue.CallbackTask {
	task := queue.CallbackTask{StoreID: c.StoreID, Generation: c.Generation, Sequence: c.Sequence, Cluster: c.Cluster}
	if c.Cluster != "" && c.Cluster != provision.DefaultCluster && c.Status != provision.StatusReady {
		task.Cluster = provision.AnyCluster // it needs no password, and so no access to the cluster
	}
	return task
}

// ClaimResult is the result of [Callbacks.Claim].
type ClaimResult string

// Only Claimed comes with a callback to send.
const (
	Claimed    ClaimResult = "claimed"
	ClaimEmpty ClaimResult = "empty" // no callback is pending
	ClaimHeld  ClaimResult = "held"  // another delivery has the claim on this store's callbacks
)

// Claim takes the right to deliver the store's callbacks, for as long as lease, and returns the first one in order of
// sequence that is not obsolete. Claiming again with the same token extends the lease.
func (r *Callbacks) Claim(ctx context.Context, storeID, token string, lease time.Duration) (ClaimResult, Callback, error) {
	answer, err := r.runScript(ctx, claimCallbackScript, []string{keyStore(storeID), keyCallbackLease(storeID), keyCallbacks(storeID)},
		token, lease.Milliseconds())
	if err != nil {
		return "", Callback{}, err
	}
	if result := ClaimResult(answer[0]); result != Claimed {
		return result, Callback{}, nil
	}
	callback, err := parseCallback(storeID, answer[1])
	if err != nil {
		return "", Callback{}, err
	}
	// A dead letter may outlive the record of its deleted store.
	if text := answer[2]; text != "" {
		if err := json.Unmarshal([]byte(text), &callback.Store.Request); err != nil {
			return "", Callback{}, fmt.Errorf("the record of store %s does not parse: %w", storeID, err)
		}
	}
	callback.Store.StoreID, callback.Store.Generation, callback.Store.Cluster = storeID, callback.Generation, inRequest(callback.Cluster)
	callback.Store.Rotation = number(answer[4])
	callback.Store.RetainData = callback.Status == provision.StatusDeleted && answer[3] == "1"
	return Claimed, callback, nil
}

// ReleaseClaim gives the claim back.
func (r *Callbacks) ReleaseClaim(ctx context.Context, storeID, token string) error {
	return r.releaseLease(ctx, keyCallbackLease(storeID), token)
}

// MarkDelivered closes a callback that the backend has confirmed.
func (r *Callbacks) MarkDelivered(ctx context.Context, c Callback) error {
	return r.closeCallback(ctx, c, "", false)
}

// closeCallback closes a callback, keeping it as the dead letter if there is one.
func (c client) closeCallback(ctx context.Context, callback Callback, letter string, forgotten bool) error {
	id := callback.StoreID
	keys := []string{keyStore(id), keyCallbacks(id), keyOutstanding, keyDeadLetters, keyJournal(id), keyDeadLetterTimes}
	return redisconn.WrapError(closeCallbackScript.Run(ctx, c.redis, keys, id, callback.Sequence, callback.ID(), letter, deletedKeep.Milliseconds(),
		deadLettersKeep.Milliseconds(), deadLettersMost, flag(forgotten)).Err())
}

// Pending returns the tasks of the store's pending callbacks that are to be delivered, in order. It drops obsolete ones that no
// delivery has claimed.
func (r *Callbacks) Pending(ctx context.Context, storeID string) ([]queue.CallbackTask, error) {
	return r.pending(ctx, storeID)
}

func (c client) pending(ctx context.Context, storeID string) ([]queue.CallbackTask, error) {
	pending, err := c.runScript(ctx, pendingCallbacksScript, []string{keyStore(storeID), keyCallbackLease(storeID), keyCallbacks(storeID)})
	if err != nil {
		return nil, err
	}
	tasks := make([]queue.CallbackTask, len(pending))
	for i, text := range pending {
		callback, err := parseCallback(storeID, text)
		if err != nil {
			return nil, err
		}
		tasks[i] = callback.Task()
	}
	return tasks, nil
}

func parseCallback(storeID, text string) (Callback, error) {
	callback := Callback{StoreID: storeID}
	if err := json.Unmarshal([]byte(text), &callback); err != nil {
		return callback, fmt.Errorf("a callback of store %s does not parse: %w", storeID, err)
	}
	return callback, nil
}
