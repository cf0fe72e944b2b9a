package queue

import (
	"context"
	"time"

	"orchestrator/provision"
)

// Lead takes or keeps the sweeper's lease. One process at a time sweeps; the others get false.
func (r *Records) Lead(ctx context.Context, token string, lease time.Duration) (bool, error) {
	held, err := leadScript.Run(ctx, r.redis, []string{keySweeper}, token, lease.Milliseconds()).Bool()
	return held, redisError(err)
}

// LeadSurvey takes or keeps the lease of comparing one cluster with the records.
func (r *Records) LeadSurvey(ctx context.Context, cluster, token string, lease time.Duration) (bool, error) {
	held, err := leadScript.Run(ctx, r.redis, []string{keySurveyor + scriptName(cluster)}, token, lease.Milliseconds()).Bool()
	return held, redisError(err)
}

// Resign gives the sweeper's lease back.
func (r *Records) Resign(ctx context.Context, token string) error {
	return redisError(releaseScript.Run(ctx, r.redis, []string{keySweeper}, token).Err())
}

// Due returns up to n stores that have something undecided or untold and were not looked at for a while; the next look
// at them is due after again.
func (r *Records) Due(ctx context.Context, n int, again time.Duration) ([]string, error) {
	ids, err := dueScript.Run(ctx, r.redis, []string{keyOpen}, n, again.Milliseconds()).StringSlice()
	return ids, redisError(err)
}

// Open is what a store still waits for.
type Open struct {
	Runs  []Task     // generations without a verdict
	Calls []CallTask // verdicts not told, in order
	Soon  bool       // a run that was told to wait for a place has one now
}

// Look returns what the store still waits for. One that waits for nothing is not due again.
func (r *Records) Look(ctx context.Context, storeID string) (Open, error) {
	f, err := r.redis.HGetAll(ctx, keyStore(storeID)).Result()
	if err != nil {
		return Open{}, redisError(err)
	}
	var open Open
	gen, del := whole(f["gen"]), whole(f["del"])
	if del > 0 {
		open.Runs = append(open.Runs, Task{Op: provision.OpDelete, StoreID: storeID, Generation: del, Cluster: where(f, provision.OpDelete)})
	}
	if gen > 0 && gen != del && whole(f["vgen"]) != gen {
		op := provision.Op(f["op"])
		open.Runs = append(open.Runs, Task{Op: op, StoreID: storeID, Generation: gen, Cluster: where(f, op)})
	}
	if f["parked"] != "" {
		if open.Soon, err = placeScript.Run(ctx, r.redis, []string{keyStore(storeID)}, storeID, r.perCreator).Bool(); err != nil {
			return Open{}, redisError(err)
		}
	}
	open.Calls, err = r.Untold(ctx, storeID)
	if err == nil && len(open.Runs)+len(open.Calls) == 0 {
		err = r.closeCall(ctx, Call{StoreID: storeID}, "") // the script looks again before it closes the store
	}
	return open, err
}

// Newest calls changed with the id of each store that gets a newer generation, until ctx ends. It only makes things
// faster: messages can be lost, and nothing depends on them.
func (r *Records) Newest(ctx context.Context, changed func(storeID string)) {
	sub := r.redis.Subscribe(ctx, channelNewest)
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-sub.Channel():
			if !ok {
				return
			}
			changed(m.Payload)
		}
	}
}
