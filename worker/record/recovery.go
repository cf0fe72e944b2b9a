package record

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// Complete reports whether the records are complete. Until then nothing is accepted, and a worker should [Recovery.Restore]
// each store of the cluster and then call [Recovery.MarkComplete].
func (r *Recovery) Complete(ctx context.Context) (bool, error) {
	n, err := r.redis.Exists(ctx, keyComplete).Result()
	return n > 0, redisconn.WrapError(err)
}

// MarkComplete declares the records complete.
func (r *Recovery) MarkComplete(ctx context.Context) error {
	return redisconn.WrapError(r.redis.Set(ctx, keyComplete, time.Now().UTC().Format(time.RFC3339), 0).Err())
}

// ClusterComplete reports whether the records of a cluster's stores are complete.
func (r *Recovery) ClusterComplete(ctx context.Context, cluster string) (bool, error) {
	complete, err := r.Complete(ctx)
	if err != nil || complete {
		return complete, err
	}
	recovered, err := r.redis.SIsMember(ctx, keyRecoveredClusters, cluster).Result()
	return recovered, redisconn.WrapError(err)
}

// MarkClusterComplete declares the records of a cluster's stores complete. All records are complete once every cluster of
// the installation is; the process that accepts requests knows which clusters these are.
func (r *Recovery) MarkClusterComplete(ctx context.Context, cluster string) error {
	return redisconn.WrapError(r.redis.SAdd(ctx, keyRecoveredClusters, cluster).Err())
}

// LeadRecovery takes or extends the lease of reconciling one cluster with the records.
func (r *Recovery) LeadRecovery(ctx context.Context, cluster, token string, lease time.Duration) (bool, error) {
	return r.takeLease(ctx, keyRecoveryLease(cluster), token, lease)
}

// errRecovering is the cause of every refusal because of incomplete records.
var errRecovering = errors.New("the records are not recovered yet")

// Incomplete reports whether an error of [Requests.Accept] or [Requests.Ready] says that the records are incomplete. This ends by
// itself, within seconds, when a worker reaches the cluster; nothing was recorded.
func Incomplete(err error) bool { return errors.Is(err, errRecovering) }

// errIncomplete is the refusal of a request that could contradict a record that is not recovered yet.
func errIncomplete(cluster string) error {
	if cluster != "" {
		return provision.Wrap(provision.CodeUnavailable, errRecovering,
			"the records are incomplete: the store may live on cluster %s, from which they are not recovered yet; try again in a few seconds", cluster)
	}
	return provision.Wrap(provision.CodeUnavailable, errRecovering,
		"the records are incomplete: a worker recovers them from the cluster when it starts; try again in a few seconds")
}

// RestoreResult is the result of [Recovery.Restore].
type RestoreResult string

// Only Restored has changed anything.
const (
	Restored            RestoreResult = "restored"
	RestoreKnown        RestoreResult = "known"         // the record is as new as what the cluster has
	RestoreOtherCluster RestoreResult = "other-cluster" // the store lives on another cluster: an operator has to decide about this namespace
	RestoreLost         RestoreResult = "lost"          // the cluster was given up: what is there is left alone
	RestoreLeftover     RestoreResult = "leftover"      // a later delete has ended: the namespace should not be there
)

// Comparison is what [Recovery.Restore] has found on record and done.
type Comparison struct {
	Result    RestoreResult
	Newest    int64              // the newest generation on record
	Protected bool               // the store is, by a record that is known
	Outcome   *provision.Outcome // of the saved generation, where it is the newest on record and has one
	Delivered bool               // the backend has confirmed that outcome
}

// Restore restores the record of one store from what its namespace on a cluster says, unless there is a record as new. A generation
// without an outcome is then run again, and an outcome that was not delivered is delivered again. timeout is the time from
// now to the end of the generation.
func (r *Recovery) Restore(ctx context.Context, cluster string, saved provision.SavedState, timeout time.Duration) (Comparison, error) {
	req := saved.Store.Request
	req.Action, req.RetainData, req.Cluster = provision.OpProvision, false, inRequest(cluster)
	text, err := json.Marshal(req)
	if err != nil {
		return Comparison{}, err
	}
	digest := req.Digest()
	if saved.Op == provision.OpDelete {
		digest = provision.Request{Action: provision.OpDelete, RetainData: saved.Store.RetainData}.Digest()
	}
	backup, backupAt, err := backupText(saved.Backup)
	if err != nil {
		return Comparison{}, err
	}
	tested, testedAt, err := restoreTestText(saved.RestoreTest)
	if err != nil {
		return Comparison{}, err
	}
	if saved.Store.Restore != nil {
		timeout += provision.RestoreTimeout
	}
	restore, restoreGeneration, err := restoreText(saved.Store.Restore)
	if err != nil {
		return Comparison{}, err
	}
	var o provision.Outcome
	if saved.Outcome != nil {
		o = *saved.Outcome
	}
	outputs, err := outputsText(o.Outputs)
	if err != nil {
		return Comparison{}, err
	}
	id := req.StoreID
	var grave provision.Grave
	if saved.Store.Grave != nil {
		grave = *saved.Store.Grave
	}
	answer, err := r.runScript(ctx, restoreScript,
		[]string{keyStore(id), keyHosts, keyNamespaces, keyStores, keyOutstanding, keyCallbacks(id)},
		id, string(saved.Op), saved.Store.Generation, digest, text, req.Name, req.Namespace, req.Engine, req.Host, timeout.Milliseconds(),
		string(o.Status), string(o.Code), o.Error, flag(saved.Delivered), flag(saved.Store.RetainData), cluster, outputs,
		flag(saved.Store.Suspended), flag(saved.Store.Protected), deleteAt(saved.Store.Grave), flag(grave.RetainData), generationText(saved.Store.Rotation), quietText(grave), backup, backupAt, provision.MaxBackups, restore, restoreGeneration,
		tested, testedAt)
	if err != nil {
		return Comparison{}, err
	}
	found := Comparison{Result: RestoreResult(answer[0]), Newest: number(answer[1])}
	found.Protected = len(answer) > 2 && answer[2] == "1"
	if len(answer) == 8 {
		found.Outcome = &provision.Outcome{Generation: found.Newest, Status: provision.Status(answer[3]), Code: provision.Code(answer[4]), Error: answer[5]}
		found.Delivered = answer[7] == "1"
		_ = json.Unmarshal([]byte(answer[6]), &found.Outcome.Outputs)
	}
	return found, nil
}

// Installation returns the generated name of the installation whose records are in this Redis: a random one from the first
// call on. It is lost with the data of Redis.
func Installation(ctx context.Context, client redis.UniversalClient) (string, error) {
	var name *redis.StringCmd
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SetNX(ctx, keyInstallation, "generated-"+strings.ToLower(rand.Text()), 0)
		name = p.Get(ctx, keyInstallation)
		return nil
	})
	if err != nil {
		return "", redisconn.WrapError(err)
	}
	return name.Val(), nil
}
