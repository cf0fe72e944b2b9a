package record

import (
	"context"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// LeadSweep takes or extends the sweeper's lease. One process at a time sweeps; the others get false.
func (r *Recovery) LeadSweep(ctx context.Context, token string, lease time.Duration) (bool, error) {
	return r.takeLease(ctx, keySweepLease, token, lease)
}

// ResignSweep releases the sweeper's lease.
func (r *Recovery) ResignSweep(ctx context.Context, token string) error {
	return r.releaseLease(ctx, keySweepLease, token)
}

func (c client) takeLease(ctx context.Context, key, token string, lease time.Duration) (bool, error) {
	held, err := takeLeaseScript.Run(ctx, c.redis, []string{key}, token, lease.Milliseconds()).Bool()
	return held, redisconn.WrapError(err)
}

func (c client) releaseLease(ctx context.Context, key, token string) error {
	return redisconn.WrapError(releaseLeaseScript.Run(ctx, c.redis, []string{key}, token).Err())
}

// Due returns up to n stores that have something outstanding and are due for an inspection. The next one is due after again.
func (r *Recovery) Due(ctx context.Context, n int, again time.Duration) ([]string, error) {
	ids, err := dueStoresScript.Run(ctx, r.redis, []string{keyOutstanding}, n, again.Milliseconds()).StringSlice()
	return ids, redisconn.WrapError(err)
}

// Outstanding is what a store still waits for.
type Outstanding struct {
	Runs      []queue.Task         // generations without an outcome
	Callbacks []queue.CallbackTask // pending callbacks, in order
	TryNow    bool                 // a throttled run has a slot now, or a hold that it waited on is gone
	Overdue   bool                 // the deadline of the newest generation passed some time ago, by this machine's clock
}

// overdueAfter leaves a run that reaches its deadline the time to end by itself, and bounds what clocks may differ.
const overdueAfter = 5 * time.Minute

// Inspect returns what is outstanding for the store. A store without anything outstanding is not due again.
func (r *Recovery) Inspect(ctx context.Context, storeID string) (Outstanding, error) {
	record, err := r.record(ctx, storeID)
	if err != nil {
		return Outstanding{}, err
	}
	o := Outstanding{Runs: record.runs(storeID)}
	o.Overdue = len(o.Runs) > 0 && record.Throttled == 0 && record.HeldAt == 0 && time.Since(record.Deadline.time()) > overdueAfter
	if record.Throttled > 0 {
		if o.TryNow, err = r.hasSlot(ctx, storeID); err != nil {
			return Outstanding{}, err
		}
	}
	if record.HeldAt > 0 {
		held, err := r.onHold(ctx, record.cluster(provision.OpProvision), record.Engine)
		if err != nil {
			return Outstanding{}, err
		}
		o.TryNow = o.TryNow || !held
	}
	o.Callbacks, err = r.pending(ctx, storeID)
	if err == nil && len(o.Runs)+len(o.Callbacks) == 0 {
		err = r.closeCallback(ctx, Callback{StoreID: storeID}, "", false) // the script looks again before it drops the store from the index
	}
	return o, err
}
