package record

import (
	"context"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// A creator may have a limited number of new stores in progress ([Options.CreatorLimit]). Its new stores stand in the
// creator's queue, which lib_creator_queue.lua keeps: the first ones have a slot, the runs of the others are throttled. The
// scripts that free a slot return the runs that it admits.

// hasSlot reports whether a throttled store has a slot now.
func (c client) hasSlot(ctx context.Context, storeID string) (bool, error) {
	has, err := creatorSlotScript.Run(ctx, c.redis, []string{keyStore(storeID)}, storeID, c.creatorLimit).Bool()
	return has, redisconn.WrapError(err)
}

// tasksOf parses the ids, generations and clusters at the end of a script's answer.
func tasksOf(op provision.Op, words []string) (tasks []queue.Task) {
	for ; len(words) >= 3; words = words[3:] {
		tasks = append(tasks, queue.Task{Op: op, StoreID: words[0], Generation: number(words[1]), Cluster: words[2]})
	}
	return tasks
}
