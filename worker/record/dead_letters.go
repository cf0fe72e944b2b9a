package record

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// Dead letters are removed when an operator replays them. So that the others do not fill Redis, each new one removes those
// that are too old, and the oldest ones beyond the limit.
const (
	deadLettersKeep = 90 * 24 * time.Hour
	deadLettersMost = 10_000
)

// deadLetter is a dead letter as it is kept.
type deadLetter struct {
	Callback
	Reason string `json:"reason"`
}

// KeepDeadLetter closes a callback that the backend refuses, and keeps it among the dead letters with the backend's reason. A
// callback that was delivered or dropped meanwhile leaves no dead letter. forgotten says that the backend does not know the store:
// it is an orphan then ([Requests.Orphans]), unless it is gone or a newer generation was accepted.
func (r *Callbacks) KeepDeadLetter(ctx context.Context, c Callback, reason string, forgotten bool) error {
	text, err := json.Marshal(deadLetter{c, reason})
	if err != nil {
		return err
	}
	return r.closeCallback(ctx, c, string(text), forgotten && c.Status.Final())
}

// DeadLetters returns up to limit dead letters, the latest refused first. cursor is Next of the page before, or "". An error
// of code invalid means that no page returned this cursor.
func (r *Callbacks) DeadLetters(ctx context.Context, cursor string, limit int) (provision.DeadLetters, error) {
	page := provision.DeadLetters{DeadLetters: []provision.DeadLetter{}}
	rows, next, err := r.latest(ctx, keyDeadLetterTimes, cursor, limit)
	if err != nil || len(rows) == 0 {
		return page, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = row.Member.(string)
	}
	texts, err := r.redis.HMGet(ctx, keyDeadLetters, ids...).Result()
	if err != nil {
		return page, redisconn.WrapError(err)
	}
	page.Next = next
	for i, text := range texts {
		text, found := text.(string)
		if !found {
			continue // replayed meanwhile, or removed by hand
		}
		l, err := deadLetterOf(text, rows[i].Score)
		if err != nil {
			return page, fmt.Errorf("dead letter %s does not parse: %w", ids[i], err)
		}
		page.DeadLetters = append(page.DeadLetters, l)
	}
	return page, nil
}

func deadLetterOf(text string, died float64) (provision.DeadLetter, error) {
	var l deadLetter
	err := json.Unmarshal([]byte(text), &l)
	return provision.DeadLetter{
		ID: l.ID(), StoreID: l.StoreID, Generation: l.Generation, Sequence: l.Sequence, Status: l.Status, Code: l.Code, Error: l.Error,
		Reason: l.Reason, At: time.UnixMilli(l.At).UTC(), RefusedAt: time.UnixMicro(int64(died)).UTC(),
	}, err
}

// Replay moves a dead letter back to the pending callbacks of its store, under its own sequence and id. Repeating it while
// the callback is pending changes nothing and answers queued as well. The task is the one that delivers the callback; there
// is one only where the result is queued.
func (r *Callbacks) Replay(ctx context.Context, callbackID string) (provision.ReplayResult, queue.CallbackTask, error) {
	task, ok := parseCallbackID(callbackID)
	if !ok {
		return provision.ReplayUnknown, queue.CallbackTask{}, nil
	}
	id := task.StoreID
	answer, err := r.runScript(ctx, replayDeadLetterScript,
		[]string{keyStore(id), keyCallbacks(id), keyOutstanding, keyDeadLetters, keyDeadLetterTimes, keyJournal(id)},
		id, callbackID, task.Generation, task.Sequence)
	if err != nil {
		return "", queue.CallbackTask{}, err
	}
	if len(answer) == 1 {
		return provision.ReplayResult(answer[0]), task, nil
	}
	callback, err := parseCallback(id, answer[1])
	return provision.ReplayResult(answer[0]), callback.Task(), err
}

// parseCallbackID reads what [Callback.ID] wrote.
func parseCallbackID(id string) (queue.CallbackTask, bool) {
	parts := strings.SplitN(id, ".", 3)
	if len(parts) != 3 || provision.CheckStoreID(parts[2]) != "" {
		return queue.CallbackTask{}, false
	}
	generation, _ := strconv.ParseInt(parts[0], 10, 64)
	sequence, _ := strconv.ParseInt(parts[1], 10, 64)
	task := queue.CallbackTask{StoreID: parts[2], Generation: generation, Sequence: sequence}
	return task, task.ID() == id
}
