// Package emf writes metrics in CloudWatch's embedded metric format: lines of the log that CloudWatch makes metrics of.
package emf

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const (
	prefix      = "orchestrator_"
	mostMetrics = 100 // of a line, by CloudWatch's limit
)

// The units that CloudWatch knows and these metrics have.
const (
	count   = "Count"
	seconds = "Seconds"
	none    = "None"
)

// value is one metric of a line.
type value struct {
	name, unit string
	value      float64
}

// Write writes what a registry holds, a line for the series that share their labels. The registry is that of one invocation: its counters are what CloudWatch adds
// up. Counters at 0 are left out, since each series is charged for; of a histogram there are number and sum.
func Write(w io.Writer, namespace string, metrics prometheus.Gatherer, at time.Time) error {
	families, err := metrics.Gather()
	if err != nil {
		return err
	}
	lines := map[string][]value{}
	labels := map[string]map[string]string{}
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), prefix)
		if !ours || strings.HasSuffix(name, "_timestamp_seconds") || name == "build_info" {
			continue
		}
		for _, m := range family.GetMetric() {
			values := valuesOf(name, m)
			if len(values) == 0 {
				continue
			}
			key, dimensions := dimensionsOf(m)
			lines[key], labels[key] = append(lines[key], values...), dimensions
		}
	}
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		for some := range slices.Chunk(lines[key], mostMetrics) {
			if err := writeLine(w, namespace, labels[key], some, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func valuesOf(name string, m *dto.Metric) []value {
	switch {
	case m.Counter != nil && m.GetCounter().GetValue() > 0:
		return []value{{name, count, m.GetCounter().GetValue()}}
	case m.Gauge != nil:
		return []value{{name, unitOf(name), m.GetGauge().GetValue()}}
	case m.Histogram != nil && m.GetHistogram().GetSampleCount() > 0:
		return []value{{name + "_count", count, float64(m.GetHistogram().GetSampleCount())}, {name + "_sum", unitOf(name), m.GetHistogram().GetSampleSum()}}
	}
	return nil
}

func unitOf(name string) string {
	switch {
	case strings.HasSuffix(name, "_seconds"):
		return seconds
	case strings.HasSuffix(name, "_ratio"):
		return none
	}
	return count
}

// dimensionsOf are the labels of a series, and a text that is the same for the same labels. CloudWatch takes no empty value.
func dimensionsOf(m *dto.Metric) (key string, dimensions map[string]string) {
	dimensions = map[string]string{}
	for _, l := range m.GetLabel() { // in the order of their names
		dimensions[l.GetName()] = l.GetValue()
		if l.GetValue() == "" {
			dimensions[l.GetName()] = "none"
		}
		key += l.GetName() + "=" + dimensions[l.GetName()] + "\x00"
	}
	return key, dimensions
}

type definition struct {
	Name string `json:"Name"`
	Unit string `json:"Unit"`
}

type directive struct {
	Namespace  string       `json:"Namespace"`
	Dimensions [][]string   `json:"Dimensions"`
	Metrics    []definition `json:"Metrics"`
}

type metadata struct {
	Timestamp         int64       `json:"Timestamp"`
	CloudWatchMetrics []directive `json:"CloudWatchMetrics"`
}

func writeLine(w io.Writer, namespace string, dimensions map[string]string, values []value, at time.Time) error {
	line := map[string]any{}
	d := directive{Namespace: namespace, Dimensions: [][]string{slices.Sorted(maps.Keys(dimensions))}}
	if len(dimensions) == 0 {
		d.Dimensions = [][]string{{}}
	}
	for name, text := range dimensions {
		line[name] = text
	}
	for _, v := range values {
		d.Metrics = append(d.Metrics, definition{v.name, v.unit})
		line[v.name] = v.value
	}
	line["_aws"] = metadata{Timestamp: at.UnixMilli(), CloudWatchMetrics: []directive{d}}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
