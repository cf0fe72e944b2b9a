package figures

import (
	"iter"
	"strconv"
	"strings"
)

// Counts are counters by a name.
type Counts map[string]float64

// Since returns by how much each counter has grown since before.
func (c Counts) Since(before Counts) Counts {
	grown := Counts{}
	for name, n := range c {
		grown[name] = n - before[name]
	}
	return grown
}

// Sum returns all of them together.
func (c Counts) Sum() (sum float64) {
	for _, n := range c {
		sum += n
	}
	return sum
}

// Requests counts what an API server has answered, by verb, from its metrics. Watches, which are counted when they end, are left out.
func Requests(metrics string) Counts {
	counts := Counts{}
	for labels, n := range samples(metrics, "apiserver_request_total") {
		if verb := label(labels, "verb"); verb != "WATCH" {
			counts[verb] += n
		}
	}
	return counts
}

// Group adds up the samples of a metric by the values of labels, with a space between them.
func Group(metrics, name string, by ...string) Counts {
	counts := Counts{}
	for labels, n := range samples(metrics, name) {
		values := make([]string, len(by))
		for i, name := range by {
			values[i] = label(labels, name)
		}
		counts[strings.Join(values, " ")] += n
	}
	return counts
}

// Sum adds up the samples of a metric whose labels have each of some texts, such as `verb="GET"`.
func Sum(metrics, name string, having ...string) (sum float64) {
	for labels, n := range samples(metrics, name) {
		if containsAll(labels, having) {
			sum += n
		}
	}
	return sum
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// samples are the labels and values of a metric in Prometheus's text format.
func samples(metrics, name string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for line := range strings.Lines(metrics) {
			rest, ok := strings.CutPrefix(line, name)
			if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
				continue
			}
			labels, value := "", rest
			if end := strings.LastIndex(rest, "} "); rest[0] == '{' && end > 0 {
				labels, value = rest[1:end], rest[end+2:]
			}
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err == nil && !yield(labels, n) {
				return
			}
		}
	}
}

func label(labels, name string) string {
	_, rest, _ := strings.Cut(","+labels, ","+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
