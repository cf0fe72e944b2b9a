package record

import (
	"context"
	"encoding/json"

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
