package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"orchestrator/provision"
)

// Call is one callback that the backend has not confirmed: a truth, or progress, of one generation.
type Call struct {
	StoreID    string           `json:"store_id,omitempty"`
	Generation int64            `json:"generation,string"`
	Sequence   int64            `json:"sequence,string"`
	Cluster    string           `json:"cluster,omitempty"` // where it became true; "" is the default one
	Status     provision.Status `json:"status"`
	Code       provision.Code   `json:"code,omitempty"`
	Error      string           `json:"error,omitempty"`
	At         int64            `json:"at,string"` // when it became true, ms since 1970 by Redis' clock
	// Asked is when a person last asked for it to be sent again, after the backend had refused it.
	Asked int64 `json:"asked,string,omitempty"`

	Store provision.Store `json:"-"` // the store as its newest request has it
}

// ID is the callback's name over all its deliveries: generation.sequence.store.
func (c Call) ID() string {
	return fmt.Sprintf("%d.%d.%s", c.Generation, c.Sequence, c.StoreID)
}

// Task is the task that delivers the callback.
func (c Call) Task() CallTask {
	return CallTask{StoreID: c.StoreID, Generation: c.Generation, Sequence: c.Sequence, Cluster: c.Cluster}
}

// Turn is what [Records.Turn] found.
type Turn string

// Only TurnCall comes with a callback to send.
const (
	TurnCall Turn = "call"
	TurnNone Turn = "none" // nothing is left to be told
	TurnHeld Turn = "held" // somebody else is telling this store's callbacks
)

// Turn takes the right to tell the store's callbacks, for as long as lease, and returns the first one in order of
// sequence that somebody still wants to hear. Taking it again with the same token extends it.
func (r *Records) Turn(ctx context.Context, storeID, token string, lease time.Duration) (Turn, Call, error) {
	answer, err := r.words(ctx, turnScript, []string{keyStore(storeID), keyTurn(storeID), keyCalls(storeID)},
		token, lease.Milliseconds())
	if err != nil || Turn(answer[0]) != TurnCall {
		return Turn(entryOf(answer)), Call{}, err
	}
	call := Call{StoreID: storeID}
	if err := json.Unmarshal([]byte(answer[1]), &call); err != nil {
		return "", Call{}, fmt.Errorf("a callback of store %s does not parse: %w", storeID, err)
	}
	// A dead letter may outlive the record of its deleted store.
	if text := answer[2]; text != "" {
		if err := json.Unmarshal([]byte(text), &call.Store.Request); err != nil {
			return "", Call{}, fmt.Errorf("the record of store %s does not parse: %w", storeID, err)
		}
	}
	call.Store.StoreID, call.Store.Generation, call.Store.Cluster = storeID, call.Generation, call.Cluster
	call.Store.RetainData = call.Status == provision.StatusDeleted && answer[3] == "1"
	return TurnCall, call, nil
}

// Told closes a callback that the backend has confirmed.
func (r *Records) Told(ctx context.Context, c Call) error { return r.closeCall(ctx, c, "") }

func (r *Records) closeCall(ctx context.Context, c Call, letter string) error {
	keys := []string{keyStore(c.StoreID), keyCalls(c.StoreID), keyOpen, keyDead, keyJournal(c.StoreID), keyLetters}
	return redisError(toldScript.Run(ctx, r.redis, keys, c.StoreID, c.Sequence, c.ID(), letter, deletedKeep.Milliseconds(),
		lettersKeep.Milliseconds(), lettersMost).Err())
}

// Pass gives the turn back.
func (r *Records) Pass(ctx context.Context, storeID, token string) error {
	return redisError(releaseScript.Run(ctx, r.redis, []string{keyTurn(storeID)}, token).Err())
}

// Untold returns the tasks of the callbacks that are left to be told, in order.
func (r *Records) Untold(ctx context.Context, storeID string) ([]CallTask, error) {
	pending, err := r.redis.HGetAll(ctx, keyCalls(storeID)).Result()
	if err != nil {
		return nil, redisError(err)
	}
	tasks := make([]CallTask, 0, len(pending))
	for seq, text := range pending {
		var call Call
		if err := json.Unmarshal([]byte(text), &call); err != nil {
			return nil, fmt.Errorf("callback %s of store %s does not parse: %w", seq, storeID, err)
		}
		call.StoreID = storeID
		tasks = append(tasks, call.Task())
	}
	slices.SortFunc(tasks, func(a, b CallTask) int { return int(a.Sequence - b.Sequence) })
	return tasks, nil
}

func (c CallTask) id() string {
	return strconv.FormatInt(c.Generation, 10) + "." + strconv.FormatInt(c.Sequence, 10) + "." + c.StoreID
}
