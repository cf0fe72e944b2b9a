package record

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// deletedKeep is how long the record of a deleted store is kept after DELETED was delivered: it answers GET, and lets the
// recovery recognise what is left of the store.
const deletedKeep = 30 * 24 * time.Hour

// Ping reports whether Redis answers.
func (r *Requests) Ping(ctx context.Context) error {
	return redisconn.WrapError(r.redis.Ping(ctx).Err())
}

// Ready returns nil if requests would be accepted now, and else an error of code unavailable: Redis does not answer, or the
// records are incomplete ([Incomplete]).
func (r *Requests) Ready(ctx context.Context) error { return r.complete(ctx) }

// complete returns nil if what is not on record does not exist, and else an error of code unavailable.
func (c client) complete(ctx context.Context) error {
	pipe := c.redis.Pipeline()
	complete, recovered := pipe.Exists(ctx, keyComplete), pipe.SMembers(ctx, keyRecoveredClusters)
	if _, err := pipe.Exec(ctx); err != nil {
		return redisconn.WrapError(err)
	}
	if complete.Val() > 0 {
		return nil
	}
	for _, name := range c.placement.Clusters.Names() {
		if !slices.Contains(recovered.Val(), name) {
			return errIncomplete(name)
		}
	}
	if len(c.placement.Clusters) == 0 {
		return errIncomplete("")
	}
	return nil // the next request declares the records complete
}

// Accept records a valid request as the newest of its store, or joins an equal one that has no outcome yet. timeout is the
// longest time from acceptance to the outcome. A new store is placed on a cluster.
//
// An error of code quota means that the creator of a new store has as many as it may have ([Options.StoresPerCreator]). Errors of code conflict name the field: one that may not change while the store lives or its data is retained, one that
// another store owns, or a retain_data that comes too late. Code unavailable may be tried again, invalid may not.
func (r *Requests) Accept(ctx context.Context, req provision.Request, timeout time.Duration) (provision.Accepted, error) {
	return r.accept(ctx, req, timeout, terms{})
}

// AcceptIf is [Requests.Accept] if the generation is the newest of the store, and an error of code superseded otherwise: what was
// decided by looking at a record must not override what its owner has asked for meanwhile.
func (r *Requests) AcceptIf(ctx context.Context, req provision.Request, generation int64, timeout time.Duration) (provision.Accepted, error) {
	return r.accept(ctx, req, timeout, terms{newest: generation})
}

// terms are what goes with a request, and is no part of it.
type terms struct {
	newest        int64             // the generation that has to be the newest; 0 is any
	force         []provision.Force // what its run does again
	suspend       string            // "1" suspends the store, "0" resumes it, "" leaves it as it is
	suspendReason string
	grace         provision.Grace // after which the store is deleted; zero: it is not
	rotate        bool            // the store's credentials
	restore       string          // the backup as JSON that the store becomes what it was of
}

func (t terms) graceText() string {
	if t.grace.For == 0 {
		return ""
	}
	return strconv.FormatInt(t.grace.For.Milliseconds(), 10)
}

// generationText is "" for none.
func generationText(generation int64) string {
	if generation == 0 {
		return ""
	}
	return strconv.FormatInt(generation, 10)
}

func (c client) accept(ctx context.Context, req provision.Request, timeout time.Duration, t terms) (provision.Accepted, error) {
	accepted, err := c.acceptCounted(ctx, req, timeout, t)
	if errors.Is(err, errUncounted) {
		if err := c.countCreators(ctx); err != nil {
			return provision.Accepted{}, err
		}
		return c.acceptCounted(ctx, req, timeout, t)
	}
	return accepted, err
}

// acceptCounted is accept where the stores of creators were counted; otherwise its error may be [errUncounted].
func (c client) acceptCounted(ctx context.Context, req provision.Request, timeout time.Duration, t terms) (provision.Accepted, error) {
	kept := req
	kept.RetainData = false // a field of its own: the record's request is the provision's
	text, err := json.Marshal(kept)
	if err != nil {
		return provision.Accepted{}, err
	}
	if t.suspend == "" && req.Suspend != nil {
		t.suspend = strconv.Itoa(flag(*req.Suspend))
	}
	origin := provision.OriginOf(ctx)
	answer, err := c.runScript(ctx, acceptScript,
		[]string{keyStore(req.StoreID), keyHosts, keyNamespaces, keyStores, keyOutstanding, keyJournal(req.StoreID), keyComplete},
		req.StoreID, string(req.Action), req.Digest(), text, req.Name, req.Namespace, req.Engine, req.Host,
		timeout.Milliseconds(), channelNewest, req.CreatorID, flag(req.RetainData || t.grace.RetainData), c.placementOf(req), generationText(t.newest), origin.By, origin.RequestID, forceText(t.force), t.suspend, t.suspendReason, c.storesPerCreator, t.graceText(), flag(t.rotate), flag(t.grace.Quiet), origin.Trace, t.restore)
	if err != nil {
		return provision.Accepted{}, err
	}
	if err := refusal(req, answer); err != nil {
		return provision.Accepted{}, err
	}
	gen := number(answer[1])
	return provision.Accepted{Action: req.Action, Generation: gen, TaskID: queue.TaskID(gen, req.StoreID), Joined: answer[0] == "joined", Cluster: answer[2], JoinedTrace: answer[3]}, nil
}

// refusal is the error of a request that the script accept has refused.
func refusal(req provision.Request, answer []string) error {
	switch answer[0] {
	case "incomplete":
		return errIncomplete(answer[1])
	case "overtaken":
		return errOvertaken(req.StoreID, answer[1])
	case "uncounted":
		return errUncounted
	case "quota":
		return provision.Errorf(provision.CodeQuota, "the creator has as many stores as it may have, which is %s; delete one of them, retained data too, or have the quota raised", answer[1])
	case "closed":
		return errNoCluster(req)
	case "changed":
		return provision.Errorf(provision.CodeConflict,
			"%s of store %s may not change while the store lives; delete the store first", answer[1], req.StoreID)
	case "retained":
		return provision.Errorf(provision.CodeConflict,
			"%s of store %s may not change while its data is retained; delete the store without retain_data first", answer[1], req.StoreID)
	case "deleting":
		return provision.Errorf(provision.CodeConflict,
			"retain_data comes too late for store %s: a delete of the store with its data is in progress", req.StoreID)
	case "protected":
		return provision.Errorf(provision.CodeConflict, "store %s is protected from deletes; if it is really to be deleted, lift that first: POST /stores/%s/unprotect", req.StoreID, req.StoreID)
	case "suspended":
		return provision.Errorf(provision.CodeConflict, "store %s is suspended, and only a running shop can take other credentials; resume it first", req.StoreID)
	case "hosts":
		return provision.Errorf(provision.CodeConflict,
			"store %s was run with %s hosts since it was last READY, and owns them all; request one of them, wait until the store is READY, or delete it first", req.StoreID, answer[1])
	case "owned":
		return provision.Errorf(provision.CodeConflict, "%s is in use by another live store", answer[1])
	}
	return nil
}
