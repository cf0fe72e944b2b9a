// Package alerts_test holds the alert rules, their tests, the list of metrics and the runbook together.
package alerts_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"orchestrator/cmd/testkit/promtest"
)

var update = flag.Bool("update", false, "write orchestrator.yaml anew")

// source is where the rules are written; the chart renders it.
const source = "../kubernetes/orchestrator/files/rules.yaml"

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type ruleFile struct {
	Groups []group `yaml:"groups"`
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// plain is the source for a Prometheus without the chart.
func plain(t *testing.T) string {
	t.Helper()
	text := strings.NewReplacer("%where%", "", "%runbook%", "docs/runbook.md").Replace(read(t, source))
	_, rules, _ := strings.Cut(strings.ReplaceAll(text, "{}", ""), "groups:")
	return "# Made from " + strings.TrimPrefix(source, "../") + " by `go test ./deploy/alerts -update`.\ngroups:" + rules
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file ruleFile
	decoder := yaml.NewDecoder(strings.NewReader(plain(t)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file.Groups[0].Rules
}

func TestPlainFileIsMadeFromTheSource(t *testing.T) {
	if *update {
		if err := os.WriteFile("orchestrator.yaml", []byte(plain(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, "orchestrator.yaml") != plain(t) {
		t.Error("orchestrator.yaml differs from its source; run `go test ./deploy/alerts -update`")
	}
	promtool(t, "check", "rules", "orchestrator.yaml")
}

// promtool runs it and fails the test where it fails.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := promtest.Promtool(t, args...); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// tests are those of tests.yaml, or of one alert alone.
func tests(t *testing.T, alert string) []byte {
	t.Helper()
	var file struct {
		RuleFiles []string         `yaml:"rule_files"`
		Interval  string           `yaml:"evaluation_interval"`
		Tests     []map[string]any `yaml:"tests"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "tests.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	file.Tests = slices.DeleteFunc(file.Tests, func(test map[string]any) bool {
		about := test["alert_rule_test"].([]any)[0].(map[string]any)["alertname"]
		return alert != "" && about != alert
	})
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// trial writes some rules, and the tests of one alert or of all, for promtool, and returns the path of the tests.
func trial(t *testing.T, rules []rule, alert string) string {
	t.Helper()
	bare := slices.Clone(rules)
	for i := range bare {
		bare[i].Annotations = nil
	}
	folder := t.TempDir()
	text, err := yaml.Marshal(ruleFile{Groups: []group{{Name: "orchestrator", Rules: bare}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"rules.yaml": text, "tests.yaml": tests(t, alert)} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "tests.yaml")
}

func TestRulesFireAndStayQuiet(t *testing.T) {
	promtool(t, "test", "rules", trial(t, rules(t), ""))
}

// TestEachRuleIsHeldByItsTests puts in the place of each condition one that always holds and one that never does. One process tries all of them.
func TestEachRuleIsHeldByItsTests(t *testing.T) {
	mutants, args := map[string]string{}, []string{"test", "rules"}
	for i, r := range rules(t) {
		for name, expr := range map[string]string{"always": "vector(1)", "never": "vector(1) > 1"} {
			changed := rules(t)
			changed[i].Expr = expr
			path := trial(t, changed, r.Alert)
			mutants[path], args = r.Alert+" "+name, append(args, path)
		}
	}
	out, _ := promtest.Promtool(t, args...) // it fails, as each of the mutants should
	tried := 0
	for part := range strings.SplitSeq(out, "Unit Testing:") {
		path, result, _ := strings.Cut(strings.TrimSpace(part), "\n")
		if mutants[path] == "" {
			continue
		}
		if tried++; !strings.Contains(result, "FAILED") {
			t.Errorf("%s: no test fails", mutants[path])
		}
	}
	if tried != len(mutants) {
		t.Errorf("%d of %d mutants were tried:\n%.2000s", tried, len(mutants), out)
	}
}

func TestRulesReadMetricsThatExist(t *testing.T) {
	known := promtest.Documented(t, "../../docs/metrics.md", []string{"instance"})
	for _, r := range rules(t) {
		known.Check(t, r.Alert, r.Expr)
	}
}

// parts are those of each section of the runbook.
var parts = []string{"**It means.**", "**Look.**", "**Usual causes.**", "**Press.**", "**If that does not help.**"}

func TestRunbookHasASectionForEachAlert(t *testing.T) {
	sections := map[string]string{}
	for _, section := range strings.Split(read(t, "../../docs/runbook.md"), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		sections[name] = strings.TrimRight(text, "\n")
	}
	for _, r := range rules(t) {
		text, there := sections[r.Alert]
		delete(sections, r.Alert)
		if !there {
			t.Errorf("docs/runbook.md has no section %s", r.Alert)
			continue
		}
		for _, part := range parts {
			before, after, found := strings.Cut(text, part)
			if !found {
				t.Errorf("%s lacks %s in its place", r.Alert, part)
			}
			_, text = before, after
		}
		if want := "docs/runbook.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s leads to %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if r.Annotations["summary"] == "" || !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%s has no summary, or severity %q", r.Alert, r.Labels["severity"])
		}
	}
	for name := range sections {
		if strings.HasPrefix(name, "Orchestrator") {
			t.Errorf("docs/runbook.md explains %s, which is no alert", name)
		}
	}
}

// named finds the checks of the monitor's overview, which link to the runbook by the name of an alert, and say whether that is critical.
var named = regexp.MustCompile(`"(Orchestrator[A-Z]\w+)", (true|false)`)

func TestMonitorNamesAlertsThatExist(t *testing.T) {
	severities := map[string]string{}
	for _, r := range rules(t) {
		severities[r.Alert] = r.Labels["severity"]
	}
	checks := named.FindAllStringSubmatch(read(t, "../../cmd/monitor/internal/pages/overview.go"), -1)
	for _, check := range checks {
		if want := map[string]string{"true": "critical", "false": "warning"}[check[2]]; severities[check[1]] != want {
			t.Errorf("the monitor has %s as %s, the rules have it as %q", check[1], want, severities[check[1]])
		}
	}
	if len(checks) == 0 {
		t.Error("the monitor names no alert")
	}
}

func TestRunbookSectionsAreShort(t *testing.T) {
	for _, section := range strings.Split(read(t, "../../docs/runbook.md"), "\n## ")[1:] {
		if n := bytes.Count([]byte(strings.TrimRight(section, "\n")), []byte("\n")); n > 25 {
			name, _, _ := strings.Cut(section, "\n")
			t.Errorf("%s has %d lines", name, n)
		}
	}
}
