package record

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

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
