package working

import (
	"context"
	"log/slog"
	"time"

	"orchestrator/charts"
	"orchestrator/cmd/internal/service"
	"orchestrator/provision"
	"orchestrator/provision/cluster"
	"orchestrator/provision/engine"
	"orchestrator/provision/mock"
	"orchestrator/worker"
)

// stores is where this worker makes stores exist.
type stores struct {
	name      string
	runner    *provision.Runner
	passwords worker.Passwords
	memory    worker.Memory
	check     func(context.Context) error
	close     func() // waits for the end of what the context kept going that it was connected with
}

func connectCluster(ctx context.Context, common service.Common, c Config, log *slog.Logger) (stores, error) {
	limits := c.limits(common.Deadline)
	if c.Mock {
		return stores{
			name:      "mock",
			runner:    mock.Cluster{StepTime: 100 * time.Millisecond}.Runner(engine.All(), limits.Budget, limits.DeleteTimeout),
			passwords: mock.Passwords{Token: common.First()},
			memory:    mock.Memory{},
			check:     func(context.Context) error { return nil },
			close:     func() {},
		}, nil
	}
	values, err := cluster.LoadValues(c.ValuesFile)
	if err != nil {
		return stores{}, err
	}
	k, err := cluster.Connect(cluster.Config{Kubeconfig: c.Kubeconfig, Env: c.AppEnv, Values: values, Charts: charts.FS, Writes: c.Writes, StoreRole: c.StoreRole, Log: log})
	if err != nil {
		return stores{}, err
	}
	if err := watch(ctx, k, log); err != nil {
		return stores{}, err
	}
	runner := &provision.Runner{Engines: engine.All(), Budget: limits.Budget, DeleteTimeout: limits.DeleteTimeout}
	k.Fill(runner)
	switch c.Verify {
	case "off":
		runner.Shops = nil
	case "public":
		runner.Outside = engine.Outside()
	}
	return stores{name: c.Kubeconfig, runner: runner, passwords: k, memory: k, check: k.Check, close: k.Close}, nil
}

// firstLook is how long a starting worker waits for the API server. After it the worker starts all the same: it answers
// probes and tells callbacks, and what needs the cluster is tried again, uncounted.
const firstLook = 10 * time.Second

// watch has the cluster's state kept up to date until ctx ends.
func watch(ctx context.Context, k *cluster.Cluster, log *slog.Logger) error {
	begun := make(chan error, 1)
	go func() { begun <- k.Start(ctx) }()
	select {
	case err := <-begun:
		return err
	case <-time.After(firstLook):
		log.Warn("the API server does not answer yet; stores wait for it")
		return nil
	}
}
