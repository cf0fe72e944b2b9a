package record

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// AcquireResult is the result of [Runs.Acquire].
type AcquireResult string

// Only Acquired holds the lease; each of the others says why there is nothing to run now.
const (
	Acquired            AcquireResult = "acquired"
	AcquireHeld         AcquireResult = "held"          // another run holds the lease
	AcquireWaiting      AcquireResult = "waiting"       // a delete of the store has to end first
	AcquireOtherCluster AcquireResult = "other-cluster" // the run belongs on another cluster
	AcquireThrottled    AcquireResult = "throttled"     // its creator has as many new stores in progress as allowed
	AcquireOnHold       AcquireResult = "on-hold"       // the provisions of its engine on its cluster wait, until one cause is gone
	AcquireSuperseded   AcquireResult = "superseded"    // a newer request took its place
	AcquireDone         AcquireResult = "done"          // the generation has succeeded, or was cancelled; make sure that its callback is queued
	AcquireNoRecord     AcquireResult = "no-record"
)

// Run is one run of one generation that has the store's lease.
type Run struct {
	Store    provision.Store
	Op       provision.Op
	Cluster  string // where it runs
	Token    string
	Attempts int           // counted attempts before this one
	Crashes  int           // runs before this one that never released the lease
	TimeLeft time.Duration // until the generation's deadline; may be negative
	// RequestedBy and RequestID say whose request the run is for, where the generation is the newest; "" for one that the service made itself.
	RequestedBy, RequestID string
	// Trace is the trace of that request, a W3C traceparent or "". First says that the generation had no run before.
	Trace string
	First bool

	WasReady bool // the store has been READY, and was not deleted since

	Next []queue.Task // runs of other stores that may begin now, since this one has freed a slot

	Outputs provision.Outputs // of the shop; recorded with READY

	Backup *provision.Backup // the last good one; of maintenance only

	RestoreRefused bool // the restore has touched nothing: with the outcome it is forgotten

	// Edition is the one that was applied, Outdated that a new store gets another; recorded with READY and SUSPENDED.
	Edition  string
	Outdated bool
}

// Acquire takes the store's lease for a run of this generation, for as long as lease. With progress a callback of the
// operation's progress is added, once per generation.
func (r *Runs) Acquire(ctx context.Context, t queue.Task, token string, lease time.Duration, progress bool) (AcquireResult, Run, error) {
	answer, err := r.runScript(ctx, acquireRunScript,
		[]string{keyStore(t.StoreID), keyRunLease(t.StoreID), keyCallbacks(t.StoreID)},
		string(t.Op), t.Generation, token, lease.Milliseconds(), flag(progress), t.StoreID, r.creatorLimit, t.Cluster, flag(r.holdAfter > 0))
	if err != nil {
		return "", Run{}, err
	}
	if result := AcquireResult(answer[0]); result != Acquired {
		return result, Run{}, nil
	}
	run := Run{Op: t.Op, Cluster: t.Cluster, Token: token, Attempts: int(number(answer[2])), Crashes: int(number(answer[3])),
		TimeLeft: time.Duration(number(answer[4])) * time.Millisecond, RequestedBy: answer[6], RequestID: answer[7],
		Trace: answer[16], First: answer[17] == "1", WasReady: answer[18] == "1", Next: tasksOf(provision.OpProvision, answer[21:])}
	if err := json.Unmarshal([]byte(answer[1]), &run.Store.Request); err != nil {
		return "", Run{}, fmt.Errorf("the record of store %s does not parse: %w", t.StoreID, err)
	}
	run.Store.Generation, run.Store.Cluster, run.Store.RetainData = t.Generation, inRequest(t.Cluster), answer[5] == "1"
	run.Store.Force, run.Store.Suspended = forcesOf(answer[8]), answer[9] == "1"
	run.Store.Protected, run.Store.OnHold = answer[10] == "1", time.Duration(number(answer[11]))*time.Millisecond
	run.Store.Rotation = number(answer[14])
	run.Store.Restore = restoreOf(answer[19], number(answer[20]))
	if answer[12] != "" {
		run.Store.Grave = &provision.Grave{At: millis(number(answer[12])).time(), RetainData: answer[13] == "1", Quiet: answer[15] != "0", Suspended: answer[15] == "2"}
	}
	return Acquired, run, nil
}

// RenewResult is the result of [Runs.Renew].
type RenewResult string

// A run that is superseded still holds the lease and should release it soon.
const (
	Renewed         RenewResult = "renewed"
	RenewSuperseded RenewResult = "superseded"
	RenewLost       RenewResult = "lost"
)

// Renew makes the run's lease last for lease from now on and reports whether its generation is still wanted.
func (r *Runs) Renew(ctx context.Context, run Run, lease time.Duration) (RenewResult, error) {
	answer, err := renewRunScript.Run(ctx, r.redis, []string{keyStore(run.Store.StoreID), keyRunLease(run.Store.StoreID)},
		string(run.Op), run.Store.Generation, run.Token, lease.Milliseconds()).Text()
	return RenewResult(answer), redisconn.WrapError(err)
}

// RunEnd is how a run ended.
type RunEnd struct {
	Counted bool // the attempt counts against the limit
	Ended   bool // the run is not tried again by itself; a later run starts with all its attempts

	Again time.Duration // until the next run, for people to see; 0 if it is unknown
}

// Release gives the lease back and returns the counted attempts of the generation, this one included.
func (r *Runs) Release(ctx context.Context, run Run, end RunEnd) (attempts int, err error) {
	attempts, err = releaseRunScript.Run(ctx, r.redis, []string{keyStore(run.Store.StoreID), keyRunLease(run.Store.StoreID)},
		run.Token, flag(end.Counted), flag(end.Ended), end.Again.Milliseconds()).Int()
	return attempts, redisconn.WrapError(err)
}

// Watch calls changed with the id of each store that gets a newer generation, and announced with the queue that its task is about to be in, until ctx
// ends. It only makes runs notice sooner: messages can be lost, and nothing depends on them.
func (r *Runs) Watch(ctx context.Context, changed, announced func(string)) {
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
			id, queueName, isNew := strings.Cut(m.Payload, " ")
			if isNew {
				announced(queueName)
			}
			changed(id)
		}
	}
}

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
