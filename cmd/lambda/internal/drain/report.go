package drain

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Report is what an invocation answers.
type Report struct {
	Ended     string          `json:"ended"` // idle: nothing was left to do; deadline: the next invocation goes on
	Seconds   float64         `json:"seconds"`
	Runs      map[string]int  `json:"runs"`      // by operation and outcome
	Callbacks map[string]int  `json:"callbacks"` // by status and outcome
	Left      map[string]Left `json:"left"`      // by queue
}

// Left is what a queue still holds.
type Left struct {
	Pending int  `json:"pending"`
	Active  int  `json:"active"` // with another worker, or with one that has died
	Retry   int  `json:"retry"`
	Paused  bool `json:"paused,omitempty"`
}

// count reads what was done from the worker's metrics.
func (r *Report) count(metrics prometheus.Gatherer) (err error) {
	if r.Runs, err = counts(metrics, "orchestrator_run_seconds", "op", "outcome"); err != nil {
		return err
	}
	r.Callbacks, err = counts(metrics, "orchestrator_callback_seconds", "status", "outcome")
	return err
}

// counts are the observations of a histogram, by two of its labels.
func counts(metrics prometheus.Gatherer, name, first, second string) (map[string]int, error) {
	families, err := metrics.Gather()
	if err != nil {
		return nil, fmt.Errorf("what was done cannot be counted: %w", err)
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
			counted[labels[first]+" "+labels[second]] += int(m.GetHistogram().GetSampleCount())
		}
	}
	return counted, nil
}

// leave notes what is left in the queues.
func (r *Report) leave(ctx context.Context, w Worker) error {
	load, err := w.Load(ctx)
	if err != nil {
		return fmt.Errorf("the queues were drained, but what is left is not known: %w", err)
	}
	r.Left = map[string]Left{}
	for _, q := range load.Queues {
		r.Left[q.Queue] = Left{Pending: q.Pending, Active: q.Active, Retry: q.Retry, Paused: q.Paused}
	}
	return nil
}
