package queue

import (
	"context"
	"encoding/json"
	"time"

	"orchestrator/provision"
)

// Whole reports whether the records are whole. Until then nothing is accepted, and somebody who can ask the cluster
// should [Records.Restore] each store and then [Records.Mark].
func (r *Records) Whole(ctx context.Context) (bool, error) {
	n, err := r.redis.Exists(ctx, keyMarker).Result()
	return n > 0, redisError(err)
}

// WholeOf reports whether the records of a cluster's stores are whole.
func (r *Records) WholeOf(ctx context.Context, cluster string) (bool, error) {
	whole, err := r.Whole(ctx)
	if err != nil || whole {
		return whole, err
	}
	surveyed, err := r.redis.SIsMember(ctx, keySurveyed, scriptName(cluster)).Result()
	return surveyed, redisError(err)
}

// Surveyed notes that every store of a cluster is on record. The records are whole when all clusters of the installation were
// surveyed; which these are is known where requests are accepted.
func (r *Records) Surveyed(ctx context.Context, cluster string) error {
	return redisError(r.redis.SAdd(ctx, keySurveyed, scriptName(cluster)).Err())
}

// Mark declares the records whole.
func (r *Records) Mark(ctx context.Context) error {
	return redisError(r.redis.Set(ctx, keyMarker, time.Now().UTC().Format(time.RFC3339), 0).Err())
}

// Restoration is what [Records.Restore] found.
type Restoration string

// Only Restored changed anything.
const (
	Restored  Restoration = "restored"
	Known     Restoration = "known"     // the record is as new as what the cluster remembers
	Elsewhere Restoration = "elsewhere" // the store lives on another cluster: somebody has to decide about this namespace
	Leftover  Restoration = "leftover"  // a delete that came later has ended: the namespace should not be there
)

// Restore rebuilds the record of one store from what the cluster remembers of it, unless there is one as new. A
// generation without a verdict is then run again, and a verdict that nobody has confirmed is told again.
func (r *Records) Restore(ctx context.Context, m provision.Memory, patience time.Duration) (Restoration, error) {
	req := m.Store.Request
	req.Action, req.RetainData = provision.OpProvision, false
	text, err := json.Marshal(req)
	if err != nil {
		return "", err
	}
	digest := req.Digest()
	if m.Op == provision.OpDelete {
		digest = provision.Request{Action: provision.OpDelete, RetainData: m.Store.RetainData}.Digest()
	}
	var v provision.Verdict
	if m.Verdict != nil {
		v = *m.Verdict
	}
	facts, err := factsText(v.Facts)
	if err != nil {
		return "", err
	}
	id := req.StoreID
	answer, err := restoreScript.Run(ctx, r.redis,
		[]string{keyStore(id), keyHosts, keyNamespaces, keyStores, keyOpen, keyCalls(id)},
		id, string(m.Op), m.Store.Generation, digest, text, req.Name, req.Namespace, req.Engine, req.Host, patience.Milliseconds(),
		string(v.Status), string(v.Code), v.Error, flag(m.Told), flag(m.Store.RetainData), scriptName(m.Store.Cluster), facts).Text()
	return Restoration(answer), redisError(err)
}
