package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"orchestrator/provision"
)

// keyLetters is a zset: id of the callback by the time of its refusal in microseconds. The callbacks are in keyDead.
const keyLetters = prefix + "letters"

// Dead letters go when a person has them sent again. Those that nobody cares for must not fill Redis: whenever another one
// dies, the old ones go, and the oldest where there are too many.
const (
	lettersKeep = 90 * 24 * time.Hour
	lettersMost = 10_000
)

var replayScript = script("replay")

// letter is a dead letter as it is kept.
type letter struct {
	Call
	Reason string `json:"reason"`
}

// Bury closes a callback that the backend refuses, and keeps it among the dead letters with the backend's reason. A
// callback that was told or dropped meanwhile leaves no letter.
func (r *Records) Bury(ctx context.Context, c Call, reason string) error {
	text, err := json.Marshal(letter{c, reason})
	if err != nil {
		return err
	}
	return r.closeCall(ctx, c, string(text))
}

// Letters returns up to limit dead letters, the latest refused first. cursor is Next of the page before, or "". An error
// of code invalid means that the cursor is none.
func (r *Records) Letters(ctx context.Context, cursor string, limit int) (provision.Letters, error) {
	page := provision.Letters{Letters: []provision.Letter{}}
	rows, next, err := r.latest(ctx, keyLetters, cursor, limit)
	if err != nil || len(rows) == 0 {
		return page, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = row.Member.(string)
	}
	texts, err := r.redis.HMGet(ctx, keyDead, ids...).Result()
	if err != nil {
		return page, redisError(err)
	}
	page.Next = next
	for i, text := range texts {
		text, found := text.(string)
		if !found {
			continue // sent again meanwhile, or removed by hand
		}
		l, err := letterOf(text, rows[i].Score)
		if err != nil {
			return page, fmt.Errorf("dead letter %s does not parse: %w", ids[i], err)
		}
		page.Letters = append(page.Letters, l)
	}
	return page, nil
}

func letterOf(text string, died float64) (provision.Letter, error) {
	var l letter
	err := json.Unmarshal([]byte(text), &l)
	return provision.Letter{
		ID: l.ID(), StoreID: l.StoreID, Generation: l.Generation, Sequence: l.Sequence, Status: l.Status, Code: l.Code, Error: l.Error,
		Reason: l.Reason, At: time.UnixMilli(l.At).UTC(), DiedAt: time.UnixMicro(int64(died)).UTC(),
	}, err
}

// Replay puts a dead letter back among the callbacks of its store, under its own sequence and id, and has the sweeper look
// at the store. Repeating it while the callback waits changes nothing and is queued as well. The task is the one that
// delivers it; there is one only where the outcome is queued.
func (r *Records) Replay(ctx context.Context, callbackID string) (provision.Replay, CallTask, error) {
	task, ok := parseCallID(callbackID)
	if !ok {
		return provision.ReplayUnknown, CallTask{}, nil
	}
	id := task.StoreID
	answer, err := r.words(ctx, replayScript,
		[]string{keyStore(id), keyCalls(id), keyOpen, keyDead, keyLetters, keyJournal(id)},
		id, callbackID, task.Generation, task.Sequence)
	if err != nil {
		return "", CallTask{}, err
	}
	if len(answer) > 1 {
		task.Cluster = clusterOf(answer[1])
	}
	return provision.Replay(answer[0]), task, nil
}

// parseCallID reads what [Call.ID] wrote.
func parseCallID(id string) (CallTask, bool) {
	parts := strings.SplitN(id, ".", 3)
	if len(parts) != 3 || provision.CheckStoreID(parts[2]) != "" {
		return CallTask{}, false
	}
	task := CallTask{StoreID: parts[2], Generation: whole(parts[0]), Sequence: whole(parts[1])}
	return task, task.id() == id
}

// Replay is [Records.Replay] followed by the task. Once the letter is among the callbacks again it will be told: if only
// the task could not be put into the queue, the sweeper does it within seconds.
func (i *Intake) Replay(ctx context.Context, callbackID string) (provision.Replay, error) {
	outcome, task, err := i.Records.Replay(ctx, callbackID)
	if err != nil || outcome != provision.ReplayQueued {
		return outcome, err
	}
	// Whoever asks has mended something: a task that waits for its next try is tried now.
	if err := i.Tasks.ReviveCall(ctx, task, true); err != nil {
		i.Log.Warn("to be sent again, but not in its queue yet; the sweeper puts it there", "store_id", task.StoreID,
			"webhook_id", callbackID, "error", err)
	}
	return outcome, nil
}
