package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"orchestrator/cmd/testkit/promtest"
)

func TestDashboardIsWhatTheTableGives(t *testing.T) {
	want, err := dashboard()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("orchestrator.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(want) {
		t.Error("orchestrator.json differs from the table; run `go run ./deploy/grafana`")
	}
}

// legendLabel finds the labels that a legend shows.
var legendLabel = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)

func TestPanelsReadMetricsAndLabelsThatExist(t *testing.T) {
	known := promtest.Documented(t, "../../docs/metrics.md", []string{"namespace", "pod"}, "process_cpu_seconds_total", "process_resident_memory_bytes")
	for _, r := range rows {
		for _, p := range r.panels {
			for _, q := range p.queries {
				where, expr := r.title+": "+p.title, selection.Replace(q.expr)
				known.Check(t, where, expr)
				for _, m := range legendLabel.FindAllStringSubmatch(q.legend, -1) {
					if !slices.Contains(kept(expr), m[1]) {
						t.Errorf("%s shows %s, which %s does not keep", where, m[1], expr)
					}
				}
			}
		}
	}
}

var grouping = regexp.MustCompile(`\bby \(([a-z_, ]*)\)`)

// kept are the labels that an expression groups by.
func kept(expr string) (labels []string) {
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, strings.Split(m[1], ", ")...)
	}
	return labels
}

// TestExpressionsParse has promtool read each expression, as a recording rule.
func TestExpressionsParse(t *testing.T) {
	var rules []map[string]string
	for _, r := range rows {
		for _, p := range r.panels {
			for _, q := range p.queries {
				expr := strings.ReplaceAll(selection.Replace(q.expr), "$__rate_interval", "5m")
				rules = append(rules, map[string]string{"record": fmt.Sprintf("panel:%d", len(rules)), "expr": expr})
			}
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtest.Promtool(t, "check", "rules", path); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPanelsHaveTheirOwnTitleAndPlace(t *testing.T) {
	for _, r := range rows {
		var titles []string
		for _, p := range r.panels {
			if slices.Contains(titles, p.title) || len(p.queries) == 0 {
				t.Errorf("%s: %s is there twice, or asks for nothing", r.title, p.title)
			}
			titles = append(titles, p.title)
		}
	}
}
