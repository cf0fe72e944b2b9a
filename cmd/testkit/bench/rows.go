package main

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"orchestrator/cmd/testkit/bench/figures"
)

// The rows that bounds are about.
const (
	rowRate     = "stores/s"
	rowP50      = "p50, s"
	rowP95      = "p95, s"
	rowOrder    = "p50/p95"
	rowCPU      = "CPU-s/store"
	rowWorker   = "peak MB, worker"
	rowRequests = "API requests/store, its own"
	rowCommands = "Redis commands/store"
	rowOthers   = "other load of the machine, %"
)

// Each table has all of these, so that its rows have one order.
var (
	programs   = []string{"limit", "worker", "ingest", "redis", "helm", "kubectl"}
	verbs      = []string{"GET", "LIST", "POST", "PUT", "PATCH", "APPLY", "DELETE"}
	components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}
)

// rowsOf are the rows of a burst, which began and ended with the last two readings; the first was idleTime before.
func rowsOf(took []float64, at [3]reading) []figures.Row {
	before, after, n := at[1], at[2], float64(len(took))
	seconds := slices.Max(took)
	rows := []figures.Row{
		{Name: rowRate, Value: n / seconds, Digits: 2},
		{Name: rowP50, Value: figures.Percentile(took, 50), Digits: 1},
		{Name: rowP95, Value: figures.Percentile(took, 95), Digits: 1},
		{Name: rowOrder, Value: figures.Percentile(took, 50) / figures.Percentile(took, 95), Digits: 2},
	}
	rows = append(rows, processRows(before.processes, after.processes, n)...)
	rows = append(rows, requestRows(at, n)...)
	rows = append(rows,
		figures.Row{Name: rowCommands, Value: (after.redisCommands - before.redisCommands) / n},
		figures.Row{Name: "Redis KB/store", Value: (after.redisBytes - before.redisBytes) / n / 1000, Digits: 1},
		figures.Row{Name: "etcd KB/store, with its history of five minutes", Value: (after.storage - before.storage) / n / 1000})
	control := after.control.Since(before.control)
	rows = append(rows, figures.Row{Name: "control plane's CPU-s/store", Value: control.Sum() / n, Digits: 3})
	for _, name := range components {
		rows = append(rows, figures.Row{Name: "– of " + name, Value: control[name] / n, Digits: 3})
	}
	own := cpuOf(after.processes) - cpuOf(before.processes)
	rows = append(rows, figures.Row{Name: "CPU-s/store of both", Value: (control.Sum() + own) / n, Digits: 3})
	rows = append(rows, figures.Row{Name: rowOthers, Value: 100 * others(before, after) / processors / after.at.Sub(before.at).Seconds()})
	return append(rows, sentRows(after.sent.Since(before.sent), n)...)
}

// fewest is how many requests of a kind a store needs for a row of their own.
const fewest = 0.5

// sentRows are the requests that the way itself has sent, the most first.
func sentRows(sent figures.Counts, n float64) (rows []figures.Row) {
	kinds := slices.SortedFunc(maps.Keys(sent), func(a, b string) int { return cmp.Or(cmp.Compare(sent[b], sent[a]), cmp.Compare(a, b)) })
	for _, kind := range kinds {
		if each := sent[kind] / n; each >= fewest {
			rows = append(rows, figures.Row{Name: "its own: " + kind, Value: each, Digits: 1})
		}
	}
	return rows
}

// processRows are what the processes of the way itself have used.
func processRows(before, after map[string]usage, n float64) (rows []figures.Row) {
	rows = append(rows, figures.Row{Name: rowCPU, Value: (cpuOf(after) - cpuOf(before)) / n, Digits: 3})
	for _, name := range programs {
		rows = append(rows, figures.Row{Name: "– of " + name, Value: known(after, name, (after[name].cpu-before[name].cpu)/n), Digits: 3})
	}
	for _, name := range programs {
		rows = append(rows, figures.Row{Name: "peak MB, " + name, Value: known(after, name, after[name].peak)})
	}
	return rows
}

// known is NaN for a process that the way does not have.
func known(all map[string]usage, name string, value float64) float64 {
	if _, ok := all[name]; ok {
		return value
	}
	return math.NaN()
}

// requestRows are what the API server has answered for a store, less what it answers while nothing happens.
func requestRows(at [3]reading, n float64) []figures.Row {
	idle, busy := at[1].requests.Since(at[0].requests), at[2].requests.Since(at[1].requests)
	share := at[2].at.Sub(at[1].at).Seconds() / at[1].at.Sub(at[0].at).Seconds()
	each := figures.Counts{}
	for verb, count := range busy {
		each[verb] = max(0, count-idle[verb]*share) / n
	}
	rows := []figures.Row{
		{Name: "API requests/store, all", Value: each.Sum()},
		{Name: rowRequests, Value: math.NaN()},
	}
	if at[2].sent != nil {
		rows[1].Value = at[2].sent.Since(at[1].sent).Sum() / n
	}
	for _, verb := range verbs {
		rows = append(rows, figures.Row{Name: "– " + verb, Value: each[verb], Digits: 1})
	}
	return rows
}

// others is what other programs of the machine have computed, in seconds.
func others(before, after reading) float64 {
	ours := after.control.Since(before.control).Sum() + cpuOf(after.processes) - cpuOf(before.processes) + after.own.cpu - before.own.cpu
	return max(0, after.machine-before.machine-ours)
}

func cpuOf(processes map[string]usage) (sum float64) {
	for u := range maps.Values(processes) {
		sum += u.cpu
	}
	return sum
}
