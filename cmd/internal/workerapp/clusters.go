package workerapp

import (
	"context"
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

// clusterSet holds the clusters that this worker serves.
type clusterSet struct {
	names     []string // as an operator would name them
	clusters  []worker.Cluster
	connected []*cluster.Cluster
}

// close waits until the goroutines of the connected clusters have ended. Their context has to be cancelled before.
func (s clusterSet) close() {
	for _, k := range s.connected {
		k.Close()
	}
}

// connectClusters returns the clusters that this worker serves. It succeeds even if no API server answers yet.
func connectClusters(ctx context.Context, common service.Common, c Config, name cluster.Installation, observe observers, log *slog.Logger) (s clusterSet, err error) {
	limits := c.limits(common.Deadline)
	installed, err := c.charts()
	if err != nil {
		return s, err
	}
	public, err := c.publicAccess()
	if err != nil {
		return s, err
	}
	for _, one := range served(common, c) {
		if c.Mock {
			s.names = append(s.names, strings.TrimPrefix(one.Name+" mock", " "))
			s.clusters = append(s.clusters, mockCluster(one.Name, limits, common.First()))
			continue
		}
		k, err := connectCluster(one, c, installed, name, observe(one.Name), log)
		if err != nil {
			return s, err
		}
		s.names, s.connected = append(s.names, c.nameOf(one)), append(s.connected, k)
		s.clusters = append(s.clusters, workerCluster(one.Name, k, limits, c, public))
	}
	if common.Tracing != nil {
		for i, one := range s.clusters {
			s.clusters[i] = traced(one)
		}
	}
	return s, startClusters(ctx, s.connected, log)
}

// nameOf names a cluster for an operator.
func (c Config) nameOf(one provision.Cluster) string {
	return strings.TrimPrefix(one.Name+" "+c.describe(one.Kubeconfig), " ")
}

// served are the clusters of ORCH_CLUSTERS, or the only one.
func served(common service.Common, c Config) provision.Clusters {
	if len(common.Clusters.Clusters) == 0 {
		return provision.Clusters{{Kubeconfig: c.Kubeconfig}}
	}
	return common.Clusters.Clusters
}

// mockCluster simulates every step and derives passwords from the token.
func mockCluster(name string, limits worker.Limits, token string) worker.Cluster {
	runner := mock.Cluster{StepTime: 100 * time.Millisecond}.Runner(engine.All(), limits.ReadinessTimeout, limits.DeleteTimeout)
	return worker.Cluster{
		Name:   name,
		Runner: runner, Maintainer: runner,
		Passwords: mock.Passwords{Token: token},
		State:     mock.ClusterState{},
		Check:     func(context.Context) error { return nil },
	}
}

// workerCluster runs all engines on a cluster, with shops verified as ORCH_VERIFY says.
func workerCluster(name string, k *cluster.Cluster, limits worker.Limits, c Config, public engine.PublicAccess) worker.Cluster {
	runner := &provision.Runner{Engines: engine.All(), ReadinessTimeout: limits.ReadinessTimeout, DeleteTimeout: limits.DeleteTimeout}
	k.Fill(runner)
	switch c.Verify {
	case "off":
		runner.Shops = nil
	case "public":
		runner.PublicClient = engine.PublicClient(public)
	}
	return worker.Cluster{Name: name, Runner: runner, Maintainer: runner, Passwords: k.Credentials, State: k.State, Unwell: k.Readiness.Unwell, Complete: k.Readiness.Complete,
		EndRestoreTest: runner.EndRestoreTest, Check: k.Check}
}

// connectCluster sends no request. Its error names the variable to correct.
func connectCluster(one provision.Cluster, c Config, installed helm.Charts, name cluster.Installation, observer kube.Observer, log *slog.Logger) (*cluster.Cluster, error) {
	text, err := c.kubeconfigText()
	if err != nil {
		return nil, err
	}
	access, err := c.backupAccess()
	if err != nil {
		return nil, err
	}
	k, err := cluster.Connect(cluster.Config{
		API:       kube.Config{Name: one.Name, Kubeconfig: one.Kubeconfig, Text: text, APIServer: c.API, Wrap: c.Wrap, Writes: c.Writes, Observer: observer, Log: log},
		Charts:    installed,
		StoreRole: c.StoreRole,

		Installation: name,
		StoreSecrets: cluster.StoreSecrets(c.SecretsDir),
		Backups:      access,
	})
	return k, named(c.variable(one.Name, one.Kubeconfig), err)
}

// charts are the stores' charts with the installation's values, which are checked.
func (c Config) charts() (helm.Charts, error) {
	if c.Mock {
		return helm.Charts{}, nil
	}
	values, err := helm.LoadValues(c.ValuesFile)
	if err != nil {
		return helm.Charts{}, named("STORE_VALUES_FILE", err)
	}
	installed := helm.Charts{FS: charts.FS, Env: c.AppEnv, Values: values}
	return installed, named("STORE_VALUES_FILE", checkValues(installed))
}

// sampleStore is what charts are rendered for where no store is meant.
var sampleStore = provision.Store{Generation: 1, Request: provision.Request{StoreID: "sample", Name: "sample", Namespace: "sample", Host: "sample.localhost",
	StoreURL: "https://sample.localhost", Action: provision.OpProvision}}

// sampleReleases are the releases of a store of each engine.
func sampleReleases() (map[string]provision.Release, error) {
	s, releases := sampleStore, map[string]provision.Release{}
	for name, e := range engine.All() {
		s.Engine = name
		release, err := e.Release(s)
		if err != nil {
			return nil, err
		}
		releases[name] = release
	}
	return releases, nil
}

// checkValues renders a store of each engine: a mistake in the installation's values would make each store FAILED.
func checkValues(installed helm.Charts) error {
	releases, err := sampleReleases()
	if err != nil {
		return err
	}
	return installed.Check(sampleStore, releases)
}

// startupWait is how long a starting worker waits for all API servers together. After that the worker starts anyway: it answers
// probes and sends callbacks, and runs that need an unavailable cluster are retried without being counted.
const startupWait = 10 * time.Second

// startClusters starts the watches of each cluster, which run until ctx ends.
func startClusters(ctx context.Context, clusters []*cluster.Cluster, log *slog.Logger) error {
	started := make(chan error, len(clusters))
	for _, k := range clusters {
		go func() { started <- k.Start(ctx) }()
	}
	timeout := time.After(startupWait)
	for answered := range clusters {
		select {
		case err := <-started:
			if err != nil {
				return err
			}
		case <-timeout:
			log.Warn("an API server does not answer yet; its stores wait until it does", "clusters", len(clusters), "answered", answered)
			return nil
		}
	}
	return nil
}
