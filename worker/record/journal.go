package record

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// journalLength is how many steps of a store are kept, about.
const journalLength = 100

// AppendStep appends a step to what is shown of the store. A step that fails as it did at the try before is folded with that one. Nothing
// depends on it: an error is only worth a log line.
func (r *Runs) AppendStep(ctx context.Context, storeID string, step provision.Step) error {
	text, err := json.Marshal(step)
	if err != nil {
		return err
	}
	err = r.redis.XAdd(ctx, &redis.XAddArgs{
		Stream: keyJournal(storeID), MaxLen: journalLength, Approx: true, Values: []any{"step", text},
	}).Err()
	if err == nil && step.State == provision.StepFailed {
		err = foldStepScript.Run(ctx, r.redis, []string{keyJournal(storeID)}).Err()
	}
	return redisconn.WrapError(err)
}

// steps parses what a journal's stream holds, oldest first.
func steps(entries []redis.XMessage) []provision.Step {
	out := make([]provision.Step, 0, len(entries))
	for i := len(entries) - 1; i >= 0; i-- {
		var step provision.Step
		text, _ := entries[i].Values["step"].(string)
		if json.Unmarshal([]byte(text), &step) == nil {
			out = append(out, step)
		}
	}
	return out
}

// waitsKeep is longer than any run waits for readiness. It is shown while a run has the store only.
const waitsKeep = time.Hour

// NoteWaits keeps what the run of a store waits for just now; "" where it does not. Nothing depends on it: an error is only worth a log line.
func (r *Runs) NoteWaits(ctx context.Context, storeID, text string) error {
	if text == "" {
		return redisconn.WrapError(r.redis.Del(ctx, keyWaits(storeID)).Err())
	}
	return redisconn.WrapError(r.redis.Set(ctx, keyWaits(storeID), text, waitsKeep).Err())
}

// Deliveries of callbacks are kept for a while, and the latest of each store only. Like the journal they are only shown.
const (
	deliveriesMost = 50
	deliveriesKeep = 30 * 24 * time.Hour
	eventsMost     = 20_000
)

// NoteDelivery keeps how a delivery went. Nothing depends on it: an error is only worth a log line.
func (r *Callbacks) NoteDelivery(ctx context.Context, storeID string, a provision.Delivery) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.LPush(ctx, keyDeliveries(storeID), text) // a list, since a stream takes some KB for its first entry
		p.LTrim(ctx, keyDeliveries(storeID), 0, deliveriesMost-1)
		p.Expire(ctx, keyDeliveries(storeID), deliveriesKeep)
		if a.NextAt.IsZero() {
			return nil // its end is an event of its own
		}
		event, err := json.Marshal(savedEvent{StoreID: storeID, Kind: provision.EventUndelivered, Generation: a.Generation, Status: a.Status})
		p.XAdd(ctx, &redis.XAddArgs{Stream: keyEvents, MaxLen: eventsMost, Approx: true, Values: []any{"event", event}})
		return err
	})
	return redisconn.WrapError(err)
}

// deliveriesOf parses what a list of deliveries holds, in its order.
func deliveriesOf(entries []string) (out []provision.Delivery) {
	for _, text := range entries {
		var a provision.Delivery
		if json.Unmarshal([]byte(text), &a) == nil {
			out = append(out, a)
		}
	}
	return out
}

// savedGeneration is an entry of a store's history as scripts write it.
type savedGeneration struct {
	Generation  int64            `json:"generation,string"`
	Op          provision.Op     `json:"op"`
	Status      provision.Status `json:"status"`
	Code        provision.Code   `json:"code"`
	Error       string           `json:"error"`
	RequestedBy string           `json:"requested_by"`
	RequestID   string           `json:"request_id"`
	AcceptedAt  millis           `json:"accepted_at,string"`
	DecidedAt   millis           `json:"decided_at,string"`
}

// history parses a store's history, the newest generation first.
func history(entries map[string]string) []provision.Generation {
	var out []provision.Generation
	for _, text := range entries {
		var g savedGeneration
		if json.Unmarshal([]byte(text), &g) == nil {
			out = append(out, provision.Generation{Generation: g.Generation, Op: g.Op, Status: g.Status, Code: g.Code, Error: g.Error,
				RequestedBy: g.RequestedBy, RequestID: g.RequestID, AcceptedAt: g.AcceptedAt.time(), DecidedAt: g.DecidedAt.time()})
		}
	}
	slices.SortFunc(out, func(a, b provision.Generation) int { return cmp.Compare(b.Generation, a.Generation) })
	return out
}

// savedEvent is an event as scripts write it.
type savedEvent struct {
	StoreID    string              `json:"store_id"`
	Kind       provision.EventKind `json:"kind"`
	Generation int64               `json:"generation,string"`
	Op         provision.Op        `json:"op,omitempty"`
	Status     provision.Status    `json:"status,omitempty"`
	Code       provision.Code      `json:"code,omitempty"`
	Error      string              `json:"error,omitempty"`
	By         string              `json:"by,omitempty"`
}

// OfStore returns up to limit events of one store after the one with this id, "" for all that are kept, in their order. An error of code invalid means that
// there can be no such event.
func (e *Events) OfStore(ctx context.Context, storeID, after string, limit int) ([]provision.Event, error) {
	from := "-"
	if after != "" {
		if !isEventID(after) {
			return nil, provision.Errorf(provision.CodeInvalid, "%q is not the id of an event", after)
		}
		from = "(" + after
	}
	entries, err := e.redis.XRangeN(ctx, keyJournal(storeID), from, "+", int64(limit)).Result()
	if err != nil {
		return nil, redisconn.WrapError(err)
	}
	events := make([]provision.Event, 0, len(entries))
	for _, entry := range entries {
		if event, ok := eventOf(storeID, entry); ok {
			events = append(events, event)
		}
	}
	return events, nil
}

// isEventID says whether Redis could have given this id: milliseconds and a number, each far from the end.
func isEventID(id string) bool {
	at, n, _ := strings.Cut(id, "-")
	_, err := strconv.ParseUint(at, 10, 63)
	_, err2 := strconv.ParseUint(n, 10, 63)
	return err == nil && err2 == nil
}

// eventOf reads an entry of a store's journal: a step, or an event as scripts write it.
func eventOf(storeID string, entry redis.XMessage) (provision.Event, bool) {
	ms, _, _ := strings.Cut(entry.ID, "-")
	event := provision.Event{ID: entry.ID, At: millis(number(ms)).time(), StoreID: storeID}
	if text, ok := entry.Values["step"].(string); ok {
		var step provision.Step
		err := json.Unmarshal([]byte(text), &step)
		event.Kind, event.Generation, event.Op, event.Code, event.Error, event.Step = provision.EventStep, step.Generation, step.Op, step.Code, step.Error, &step
		return event, err == nil
	}
	var saved savedEvent
	text, _ := entry.Values["event"].(string)
	err := json.Unmarshal([]byte(text), &saved)
	event.Kind, event.Generation, event.Op, event.Status = saved.Kind, saved.Generation, saved.Op, saved.Status
	event.Code, event.Error, event.By = saved.Code, saved.Error, saved.By
	return event, err == nil
}

// Newest returns what changes with the newest event of all stores, under "", and of each of these stores: its newest event and delivery, and
// what it waits for. It is one round trip; what has none is missing.
func (e *Events) Newest(ctx context.Context, storeIDs []string) (map[string]string, error) {
	asked, told, waits := map[string]*redis.XMessageSliceCmd{}, map[string]*redis.StringCmd{"": {}}, map[string]*redis.StringCmd{"": {}}
	_, err := e.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		asked[""] = p.XRevRangeN(ctx, keyEvents, "+", "-", 1)
		for _, id := range storeIDs {
			asked[id] = p.XRevRangeN(ctx, keyJournal(id), "+", "-", 1)
			told[id] = p.LIndex(ctx, keyDeliveries(id), 0) // a delivery that is tried again is none of its events
			waits[id] = p.Get(ctx, keyWaits(id))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, redisconn.WrapError(err)
	}
	newest := map[string]string{}
	for id, entries := range asked {
		var parts []string
		for _, entry := range entries.Val() {
			parts = append(parts, entry.ID)
		}
		if text := strings.TrimSpace(strings.Join(append(parts, told[id].Val(), waits[id].Val()), " ")); text != "" {
			newest[id] = text
		}
	}
	return newest, nil
}
