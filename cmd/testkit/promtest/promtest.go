// Package promtest checks expressions of Prometheus by promtool, and against the metrics that docs/metrics.md lists.
package promtest

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Promtool runs promtool and returns what it prints.
func Promtool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not on PATH: run `.ci/need promtool prometheus`, or the tests by `make test`, which brings it")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err
}

// Metrics are names of metrics with their labels.
type Metrics map[string][]string

var (
	row    = regexp.MustCompile("(?m)^\\| `(orchestrator_[a-z_]+)` \\| (\\w+) \\| ([^|]*) \\|")
	quoted = regexp.MustCompile("`([a-z_]+)`")
	metric = regexp.MustCompile(`((?:orchestrator|process)_[a-z_]+)(\{[^}]*\})?`)
	label  = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"`)
	by     = regexp.MustCompile(`\b(?:by|on) \(([a-z_, ]*)\)`)
)

// Documented reads the metrics of docs/metrics.md, which a test of cmd/internal/workerapp holds to what processes register. scraped are labels that every
// series has besides, and others metrics that are not in the page.
func Documented(t *testing.T, path string, scraped []string, others ...string) Metrics {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := Metrics{}
	for _, name := range others {
		all[name] = scraped
	}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		labels := slices.Clone(scraped)
		for _, l := range quoted.FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, l[1])
		}
		all[m[1]] = labels
		if m[2] == "histogram" {
			delete(all, m[1])
			all[m[1]+"_count"], all[m[1]+"_sum"], all[m[1]+"_bucket"] = labels, labels, append(slices.Clone(labels), "le")
		}
	}
	if len(all) < 30 {
		t.Fatalf("%s lists %d metrics only", path, len(all))
	}
	return all
}

// Check reports metrics and labels in an expression that do not exist. where is for the report.
func (all Metrics) Check(t *testing.T, where, expr string) {
	t.Helper()
	labels := map[string]bool{}
	for _, m := range metric.FindAllStringSubmatch(expr, -1) {
		names, there := all[m[1]]
		if !there {
			t.Errorf("%s reads %s, which docs/metrics.md does not list", where, m[1])
		}
		for _, name := range names {
			labels[name] = true
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(names, l[1]) {
				t.Errorf("%s selects %s by %s, a label that it does not have", where, m[1], l[1])
			}
		}
	}
	for _, m := range by.FindAllStringSubmatch(expr, -1) {
		for name := range strings.SplitSeq(m[1], ",") {
			if name = strings.TrimSpace(name); name != "" && !labels[name] {
				t.Errorf("%s groups by %s, a label that its metrics do not have: %v", where, name, slices.Sorted(maps.Keys(labels)))
			}
		}
	}
}
