package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/testkit/chaos/rig"
)

// idleTime is how long the cluster is looked at while nothing is asked of it, to know what it does by itself.
const idleTime = 10 * time.Second

// onCluster provisions on a development cluster and prints what that cost the API server: everything is counted, what
// its own controllers and the simulated kubelet do about a store too, less what they do while nothing happens.
func (o options) onCluster(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "capacity-cluster")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		return err
	}
	cluster, err := rig.StartCluster(ctx, o.devcluster, dir, "", "1s")
	if cluster != nil {
		defer cluster.Stop(rig.StopTime)
	}
	if err != nil {
		return err
	}
	s, err := start(ctx, o, "KUBECONFIG="+cluster.Kubeconfig)
	defer s.stop()
	if err != nil {
		return err
	}
	if err := s.startWorkers(1); err != nil {
		return err
	}
	if err := s.submit(ctx, "warm-", 2); err != nil {
		return err
	}
	idle, err := during(ctx, cluster.Kube, func() error { rig.Sleep(ctx, idleTime); return ctx.Err() })
	if err != nil {
		return err
	}
	begun, memory, cpu := time.Now(), s.resident("VmRSS"), s.cpu()
	before, err := storage(ctx, cluster.Kube)
	if err != nil {
		return err
	}
	busy, err := during(ctx, cluster.Kube, func() error { return s.submit(ctx, "s-", o.clusterStores) })
	if err != nil {
		return err
	}
	took := time.Since(begun)
	n := float64(o.clusterStores)
	fmt.Printf("READY/s %.1f; the worker: %.0f MiB before, %.0f MiB at most, %.3f s of CPU for a store\n", n/took.Seconds(), memory, s.resident("VmHWM"), (s.cpu()-cpu)/n)
	after, err := storage(ctx, cluster.Kube)
	if err != nil {
		return err
	}
	fmt.Printf("etcd: %.0f KiB more for a store, the history that it keeps for five minutes included\n", (after-before)/n/1024)
	printRequests(busy, idle, took, n)
	return nil
}

// printRequests prints what a store of n costs the API server, less what it answers while nothing happens.
func printRequests(busy, idle map[string]float64, took time.Duration, n float64) {
	fmt.Println("requests at the API server for a store, by verb:")
	total := 0.0
	for _, verb := range slices.Sorted(maps.Keys(busy)) {
		each := (busy[verb] - idle[verb]*took.Seconds()/idleTime.Seconds()) / n
		if verb == "WATCH" || each < 0.05 {
			continue
		}
		total += each
		fmt.Printf("  %-12s %6.1f\n", verb, each)
	}
	fmt.Printf("  %-12s %6.1f\n", "all", total)
}

// during counts the requests that the API server answers while something is done.
func during(ctx context.Context, k *kube.Client, do func() error) (map[string]float64, error) {
	before, err := k.Text(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	after, err := k.Text(ctx, "/metrics")
	counts := requests(after)
	for verb, n := range requests(before) {
		counts[verb] -= n
	}
	return counts, err
}

// storage is the size of etcd's database in bytes, as the API server reports it.
func storage(ctx context.Context, k *kube.Client) (float64, error) {
	metrics, err := k.Text(ctx, "/metrics")
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "apiserver_storage_size_bytes{") {
			_, value, _ := strings.Cut(line, "} ")
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, err
}
