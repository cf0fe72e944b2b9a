package record

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// placementArg is what the script accept has to know of the clusters for one request.
type placementArg struct {
	Clusters   provision.Clusters `json:"clusters"`
	Candidates []string           `json:"candidates"` // where a new store may go
	Named      string             `json:"named"`      // by the request
	All        bool               `json:"all"`        // these are all clusters of the installation
}

// placementOf is the argument as JSON, or "" where there is one cluster only.
func (c client) placementOf(req provision.Request) string {
	p := placementArg{Clusters: c.placement.Clusters, Candidates: c.placement.Candidates(req), Named: req.Cluster, All: true}
	if len(p.Clusters) == 0 {
		if req.Cluster == "" {
			return ""
		}
		p = placementArg{provision.Clusters{{Name: req.Cluster, Weight: 1}}, []string{req.Cluster}, req.Cluster, false}
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic("record: names and numbers did not marshal: " + err.Error())
	}
	return string(text)
}

// inRequest is how a request names the cluster that its store lives on: the default cluster is not named.
func inRequest(cluster string) string {
	if cluster == provision.DefaultCluster {
		return ""
	}
	return cluster
}

// errNoCluster is the refusal of a new store that no cluster may take.
func errNoCluster(req provision.Request) error {
	if req.Cluster != "" {
		return provision.Errorf(provision.CodeInvalid, "cluster %s is closed to new stores; name another one, or none", req.Cluster)
	}
	return provision.Errorf(provision.CodeUnavailable, "no cluster that may take this store is open to new stores")
}

// healthyKeep is how long a cluster counts as healthy after a worker has reached it.
const healthyKeep = time.Minute

// MarkHealthy records that a worker has just reached a cluster: healthy clusters get new stores first.
func (r *Recovery) MarkHealthy(ctx context.Context, cluster string) error {
	return redisconn.WrapError(r.redis.Set(ctx, keyClusterHealthy(cluster), "1", healthyKeep).Err())
}

// passDone is the value of a lost cluster all whose stores were ended.
const passDone = "done"

// LoseCluster gives a cluster up for good: no store is placed there any more, and the sweeper ends those that live there
// ([Recovery.EndLostStores]). It is idempotent. An error of code invalid means that the installation has no such cluster.
func (r *Requests) LoseCluster(ctx context.Context, cluster string) error {
	if err := r.known(cluster); err != nil {
		return err
	}
	return redisconn.WrapError(loseClusterScript.Run(ctx, r.redis, []string{keyLostClusters, keyComplete, keyRecoveredClusters}, cluster).Err())
}

// FindCluster takes a cluster back: new stores may be placed there. Stores that were ended stay ended. It is idempotent.
func (r *Requests) FindCluster(ctx context.Context, cluster string) error {
	if err := r.known(cluster); err != nil {
		return err
	}
	return redisconn.WrapError(r.redis.HDel(ctx, keyLostClusters, cluster).Err())
}

// known reports a cluster that the installation does not have. It has to be one of several: without another one there is nothing
// to go on with.
func (r *Requests) known(cluster string) error {
	if len(r.placement.Clusters) == 0 {
		return provision.Errorf(provision.CodeInvalid, "this installation has one cluster only, which cannot be given up; ORCH_CLUSTERS names several")
	}
	if slices.Contains(r.placement.Clusters.Names(), cluster) {
		return nil
	}
	return provision.Errorf(provision.CodeInvalid, "cluster %s is not one of this installation's", cluster)
}

// Clusters returns the state of each cluster, in the order of ORCH_CLUSTERS; without that, of the one that there is.
func (r *Requests) Clusters(ctx context.Context) ([]provision.ClusterState, error) {
	names := r.placement.Clusters.Names()
	if len(names) == 0 {
		names = []string{provision.DefaultCluster}
	}
	type row struct {
		healthy, stores *redis.IntCmd
	}
	rows := make([]row, len(names))
	var lost *redis.MapStringStringCmd
	var all *redis.IntCmd
	_, err := r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		lost, all = p.HGetAll(ctx, keyLostClusters), p.HLen(ctx, keyNamespaces)
		for i, name := range names {
			rows[i] = row{p.Exists(ctx, keyClusterHealthy(name)), p.SCard(ctx, keyClusterStores(name))}
		}
		return nil
	})
	if err != nil {
		return nil, redisconn.WrapError(err)
	}
	states := make([]provision.ClusterState, len(names))
	rest := all.Val()
	for i, name := range names {
		stage, given := lost.Val()[name]
		states[i] = provision.ClusterState{Name: name, Healthy: rows[i].healthy.Val() > 0, Lost: given, Ending: given && stage != passDone, Stores: rows[i].stores.Val()}
		rest -= rows[i].stores.Val()
	}
	for i := range states {
		if states[i].Name == provision.DefaultCluster {
			states[i].Stores = max(rest, 0)
		}
	}
	return states, nil
}

// EndLostStores ends up to n stores of clusters that were given up: a delete is DELETED, anything else FAILED with code lost. It returns how many it
// has ended, and whether there may be more. A pass goes on where the last one stood.
func (r *Recovery) EndLostStores(ctx context.Context, n int) (ended int, more bool, err error) {
	lost, err := r.redis.HGetAll(ctx, keyLostClusters).Result()
	if err != nil {
		return 0, false, redisconn.WrapError(err)
	}
	for cluster, stage := range lost {
		if stage == passDone {
			continue
		}
		count, left, err := r.endStoresOf(ctx, cluster, stage, n)
		ended, more = ended+count, more || left
		if err != nil {
			return ended, true, err
		}
	}
	return ended, more, nil
}

func (r *Recovery) endStoresOf(ctx context.Context, cluster, stage string, n int) (ended int, more bool, err error) {
	rows, next, err := r.latest(ctx, keyStores, stage, n)
	if err != nil {
		return 0, true, err
	}
	args := []any{cluster, stage, next}
	if next == "" {
		args[2] = passDone
	}
	for _, row := range rows {
		args = append(args, row.Member)
	}
	count, err := endLostStoresScript.Run(ctx, r.redis, []string{keyLostClusters}, args...).Int()
	return max(count, 0), next != "", redisconn.WrapError(err)
}
