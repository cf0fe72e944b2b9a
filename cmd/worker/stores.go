package main

import (
	"context"
	"log/slog"
	"time"

	"orchestrator/charts"
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
}

func connectCluster(ctx context.Context, c config, log *slog.Logger) (stores, error) {
	limits := c.limits()
	if c.Mock {
		return stores{
			name:      "mock",
			runner:    mock.Cluster{StepTime: 100 * time.Millisecond}.Runner(engine.All(), limits.Budget, limits.DeleteTimeout),
			passwords: mock.Passwords{Token: c.Tokens.First()},
			memory:    mock.Memory{},
			check:     func(context.Context) error { return nil },
		}, nil
	}
	values, err := cluster.LoadValues(c.ValuesFile)
	if err != nil {
		return stores{}, err
	}
	k, err := cluster.Connect(cluster.Config{Kubeconfig: c.Kubeconfig, Env: c.AppEnv, Values: values, Charts: charts.FS, Writes: c.Writes, Log: log})
	if err != nil {
		return stores{}, err
	}
	if err := k.Start(ctx); err != nil {
		return stores{}, err
	}
	runner := &provision.Runner{
		Namespaces: k.Namespaces(), Credentials: k.Credentials(), Releases: k.Releases(), Readiness: k.Readiness(), Volumes: k.Volumes(),
		Engines: engine.All(), Budget: limits.Budget, DeleteTimeout: limits.DeleteTimeout,
	}
	if c.Verify == "pod" {
		runner.Shops = k.Shops()
	}
	return stores{name: c.Kubeconfig, runner: runner, passwords: k, memory: k, check: k.Check}, nil
}
