package workerapp

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"orchestrator/charts"
	"orchestrator/cmd/internal/service"
	"orchestrator/provision"
	"orchestrator/provision/cluster"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/engine"
	"orchestrator/provision/mock"
	"orchestrator/worker"
)

// stores is where this worker makes stores exist.
type stores struct {
	names    []string // as an operator would name them
	clusters []worker.Cluster
	open     []*cluster.Cluster
}

// close waits for the end of what the context kept going that the clusters were connected with.
func (s stores) close() {
	for _, k := range s.open {
		k.Close()
	}
}

// connectClusters returns the clusters that this worker serves, none of which has to answer.
func connectClusters(ctx context.Context, common service.Common, c Config, log *slog.Logger) (s stores, err error) {
	named := common.Clusters.Clusters
	if len(named) == 0 {
		named = provision.Clusters{{Kubeconfig: c.Kubeconfig}}
	}
	limits := c.limits(common.Deadline)
	for _, one := range named {
		if c.Mock {
			s.names = append(s.names, strings.TrimPrefix(one.Name+" mock", " "))
			s.clusters = append(s.clusters, worker.Cluster{
				Name:      one.Name,
				Runner:    mock.Cluster{StepTime: 100 * time.Millisecond}.Runner(engine.All(), limits.ReadinessTimeout, limits.DeleteTimeout),
				Passwords: mock.Passwords{Token: common.First()},
				State:     mock.ClusterState{},
				Check:     func(context.Context) error { return nil },
			})
			continue
		}
		k, err := connectCluster(one, c, log)
		if err != nil {
			return s, err
		}
		runner := &provision.Runner{Engines: engine.All(), ReadinessTimeout: limits.ReadinessTimeout, DeleteTimeout: limits.DeleteTimeout}
		k.Fill(runner)
		switch c.Verify {
		case "off":
			runner.Shops = nil
		case "public":
			runner.PublicClient = engine.PublicClient()
		}
		s.names, s.open = append(s.names, strings.TrimPrefix(one.Name+" "+c.name(one.Kubeconfig), " ")), append(s.open, k)
		s.clusters = append(s.clusters, worker.Cluster{Name: one.Name, Runner: runner, Passwords: k.Credentials, State: k.State, Check: k.Check})
	}
	return s, watch(ctx, s.open, log)
}

func connectCluster(one provision.Cluster, c Config, log *slog.Logger) (*cluster.Cluster, error) {
	values, err := helm.LoadValues(c.ValuesFile)
	if err != nil {
		return nil, err
	}
	text, err := c.text()
	if err != nil {
		return nil, err
	}
	k, err := cluster.Connect(cluster.Config{
		API:       kube.Config{Name: one.Name, Kubeconfig: one.Kubeconfig, Text: text, APIServer: c.API, Writes: c.Writes, Log: log},
		Charts:    helm.Charts{FS: charts.FS, Env: c.AppEnv, Values: values},
		StoreRole: c.StoreRole,
	})
	if err != nil && one.Name != "" {
		err = fmt.Errorf("cluster %s: %w", one.Name, err)
	}
	return k, err
}

// firstLook is how long a starting worker waits for the API servers, for all at a time. After it the worker starts all the
// same: it answers probes and tells callbacks, and what needs a cluster that does not answer is tried again, uncounted.
const firstLook = 10 * time.Second

// watch has the clusters' state kept up to date until ctx ends.
func watch(ctx context.Context, clusters []*cluster.Cluster, log *slog.Logger) error {
	begun := make(chan error, len(clusters))
	for _, k := range clusters {
		go func() { begun <- k.Start(ctx) }()
	}
	enough := time.After(firstLook)
	for answered := range clusters {
		select {
		case err := <-begun:
			if err != nil {
				return err
			}
		case <-enough:
			log.Warn("an API server does not answer yet; its stores wait for it", "clusters", len(clusters), "answered", answered)
			return nil
		}
	}
	return nil
}
