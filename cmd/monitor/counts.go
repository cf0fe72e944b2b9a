package main

import (
	"context"

	"orchestrator/cmd/monitor/internal/pages"
	"orchestrator/provision"
	"orchestrator/worker/record"
)

// counts counts what the alerts count.
type counts struct {
	*record.Stats
	clusters []string
}

// Waiting implements [pages.Counts].
func (c counts) Waiting(ctx context.Context, engines []string) (w pages.Waiting, err error) {
	counted, err := c.Count(ctx, engines, c.clusters)
	if err != nil {
		return w, err
	}
	w.PendingCallbacks, w.PendingSince = counted.PendingCallbacks, counted.OldestPendingCallback
	for _, o := range counted.Oldest {
		if !o.Since.IsZero() && (w.Oldest.IsZero() || o.Since.Before(w.Oldest)) {
			w.Oldest = o.Since
		}
	}
	if used, err := c.MemoryUsed(ctx); err == nil { // a hosted Redis may not tell
		w.Memory = used
	}
	return w, nil
}

// clusterNames are the clusters of the installation, and the one of stores that are on none by name.
func clusterNames(all provision.Clusters) []string {
	return append(all.Names(), provision.DefaultCluster)
}
