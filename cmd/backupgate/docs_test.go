package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/cmd/backupgate/internal/gate"
)

var update = flag.Bool("update", false, "write the gate's table of docs/metrics.md anew")

// described finds name, help and labels in the text of a description.
var described = regexp.MustCompile(`^Desc\{fqName: "(orchestrator_[a-z_]+)", help: "(.*?)", (?:unit: "[^"]*", )?constLabels: \{\}, variableLabels: \{(.*)\}\}$`)

// rows are the rows of the table: what New registers.
func rows(t *testing.T) string {
	t.Helper()
	reg := prometheus.NewRegistry()
	gate.New(gate.Config{}, reg, slog.New(slog.DiscardHandler))
	descs := make(chan *prometheus.Desc)
	go func() { reg.Describe(descs); close(descs) }()
	var lines []string
	for desc := range descs {
		m := described.FindStringSubmatch(desc.String())
		if m == nil {
			t.Fatalf("%s is not understood", desc)
		}
		kind, labels := "gauge", "–"
		switch {
		case strings.HasSuffix(m[1], "_total"):
			kind = "counter"
		case strings.HasSuffix(m[1], "_seconds"):
			kind = "histogram"
		}
		if m[3] != "" {
			names := strings.Split(m[3], ",")
			slices.Sort(names)
			labels = "`" + strings.Join(names, "` `") + "`"
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s |\n", m[1], kind, labels, m[2]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestDocsListTheGatesMetrics(t *testing.T) {
	const path, begin = "../../docs/metrics.md", "| metric | type | labels | what |\n|---|---|---|---|\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no table", path)
	}
	want := rows(t)
	end := strings.Index("\n"+rest, "\n\n") // of an empty table too
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+rest[end:]), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if rest[:end] != want {
		t.Errorf("%s differs; run the test with -update\n%s\nwant:\n%s", path, rest[:end], want)
	}
}

// TestDocsListTheGatesSettings holds the table of docs/backup.md to the configuration.
func TestDocsListTheGatesSettings(t *testing.T) {
	text, err := os.ReadFile("../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile(`env:"(ORCH_[A-Z_]+)[^"]*"(?: envDefault:"([^"]*)")?`).FindAllStringSubmatch(string(source), -1)
	if len(settings) < 10 {
		t.Fatalf("%d settings are found in config.go", len(settings))
	}
	for _, s := range settings {
		row := "\n| `" + s[1] + "` | "
		if s[2] != "" {
			row += "`" + s[2] + "` | "
		}
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/backup.md has no row %s", row)
		}
	}
}
