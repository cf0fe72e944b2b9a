package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	probeEvery   = 15 * time.Second
	probeTimeout = 5 * time.Second
)

// clusterProbe asks regularly whether a cluster can be reached. It sets the metric, logs a change, and marks the cluster as
// healthy in the records, so that new stores go to healthy clusters and operators see which one is not.
type clusterProbe struct {
	cluster Cluster
	records interface {
		MarkHealthy(ctx context.Context, cluster string) error
	}
	up   prometheus.Gauge
	log  *slog.Logger
	down bool
}

// run probes until ctx ends.
func (p *clusterProbe) run(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		p.probe(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *clusterProbe) probe(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, probeTimeout)
	err := p.cluster.Check(asked)
	cancel()
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && !p.down:
		p.log.Warn("the cluster cannot be reached; its stores wait for it", "error", err)
	case err == nil && p.down:
		p.log.Info("the cluster can be reached again")
	}
	p.down = err != nil
	if p.down {
		p.up.Set(0)
		return
	}
	p.up.Set(1)
	ctx, cancel = context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := p.records.MarkHealthy(ctx, p.cluster.id()); err != nil {
		p.log.Debug("the cluster was not marked as healthy", "error", err)
	}
}
