package drain

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Report is the result of a drain, which the invocation returns as JSON.
type Report struct {
	Ended     string               `json:"ended"` // idle: there was no work left; deadline: the next invocation continues
	Seconds   float64              `json:"seconds"`
	Runs      map[string]int       `json:"runs"`      // by operation and outcome
	Callbacks map[string]int       `json:"callbacks"` // by status and outcome
	Remaining map[string]Remaining `json:"left"`      // by queue
}

// Remaining is what a queue still holds.
type Remaining struct {
	Pending int  `json:"pending"`
	Active  int  `json:"active"` // with another worker, or with one that has died
	Retry   int  `json:"retry"`
	Paused  bool `json:"paused,omitempty"`
}

// countOutcomes counts runs and callbacks by the worker's metrics.
func (r *Report) countOutcomes(metrics prometheus.Gatherer) (err error) {
	if r.Runs, err = counts(metrics, "orchestrator_run_duration_seconds", "op", "outcome"); err != nil {
		return err
	}
	r.Callbacks, err = counts(metrics, "orchestrator_callback_duration_seconds", "status", "outcome")
	return err
}

// counts returns the number of observations of a histogram, by two of its labels.
func counts(metrics prometheus.Gatherer, name, first, second string) (map[string]int, error) {
	families, err := metrics.Gather()
	if err != nil {
		return nil, fmt.Errorf("read the worker's metrics: %w", err)
	}
	counted := map[string]int{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if n := int(m.GetHistogram().GetSampleCount()); n > 0 {
				counted[labels[first]+" "+labels[second]] += n
			}
		}
	}
	return counted, nil
}

// recordRemaining records what is left in the queues.
func (r *Report) recordRemaining(ctx context.Context, w Worker) error {
	load, err := w.Load(ctx)
	if err != nil {
		return fmt.Errorf("the queues were drained, but what is left cannot be read: %w", err)
	}
	r.Remaining = map[string]Remaining{}
	for _, q := range load.Queues {
		r.Remaining[q.Queue] = Remaining{Pending: q.Pending, Active: q.Active, Retry: q.Retry, Paused: q.Paused}
	}
	return nil
}
