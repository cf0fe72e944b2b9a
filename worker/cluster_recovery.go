package worker

import (
	"context"
	"crypto/rand"

	"orchestrator/worker/record"
)

// clusterRecovery is the recovery of one of several clusters: it completes the records of that cluster only.
type clusterRecovery struct {
	*record.Recovery
	cluster string
}

// Complete reports whether the records of the cluster are complete.
func (c clusterRecovery) Complete(ctx context.Context) (bool, error) {
	return c.Recovery.ClusterComplete(ctx, c.cluster)
}

// MarkComplete declares the records of the cluster complete.
func (c clusterRecovery) MarkComplete(ctx context.Context) error {
	return c.Recovery.MarkClusterComplete(ctx, c.cluster)
}

// recoveryLeader lets one worker at a time reconcile the cluster: the one that did it last, while it lives.
func recoveryLeader(recovery *record.Recovery, cluster string) func(context.Context) (bool, error) {
	token := cluster + " " + rand.Text()
	return func(ctx context.Context) (bool, error) {
		return recovery.LeadRecovery(ctx, cluster, token, 2*reconcileEvery)
	}
}
