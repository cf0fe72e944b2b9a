package workerapp

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/testkit/redistest"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md anew")

// processes are the registries of a worker and of ingest.
func processes(t *testing.T) map[string]*prometheus.Registry {
	t.Helper()
	c := common(redistest.Mini(t))
	log := slog.New(slog.DiscardHandler)
	config := valid()
	config.MaintenanceSlots = 10
	w, err := Open(t.Context(), c, config, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	api, err := ingestapp.Open(c, ingestapp.Config{Timeout: time.Second}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return map[string]*prometheus.Registry{"worker": w.Metrics, "ingest": api.Metrics}
}

// described finds name, help and labels in the text of a description: nothing else tells them of a family without a series.
var described = regexp.MustCompile(`^Desc\{fqName: "(orchestrator_[a-z_]+)", help: "(.*?)", (?:unit: "[^"]*", )?constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// family is a family of metrics as docs/metrics.md lists it.
type family struct {
	kind, help string
	labels, by []string
}

func families(t *testing.T) map[string]*family {
	t.Helper()
	all := map[string]*family{}
	for _, process := range []string{"ingest", "worker"} {
		reg := processes(t)[process]
		descs := make(chan *prometheus.Desc)
		go func() {
			reg.Describe(descs)
			close(descs)
		}()
		for desc := range descs {
			m := described.FindStringSubmatch(desc.String())
			if m == nil {
				continue // of the Go runtime and the process
			}
			f := all[m[1]]
			if f == nil {
				f = &family{help: m[2]}
				all[m[1]] = f
				for name := range strings.SplitSeq(m[3]+","+m[4], ",") {
					if name, _, _ = strings.Cut(name, "="); name != "" {
						f.labels = append(f.labels, name)
					}
				}
				slices.Sort(f.labels)
			}
			f.by = append(f.by, process)
		}
		gathered, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gathered {
			if f := all[g.GetName()]; f != nil {
				f.kind = strings.ToLower(g.GetType().String())
			}
		}
	}
	for name, f := range all {
		switch {
		case f.kind != "":
		case strings.HasSuffix(name, "_duration_seconds"):
			f.kind = "histogram"
		default:
			f.kind = "gauge"
		}
	}
	return all
}

// TestDocsListEveryFamily holds the table of docs/metrics.md to what the processes register.
func TestDocsListEveryFamily(t *testing.T) {
	const path, begin = "../../../docs/metrics.md", "| metric | type | labels | of | what |\n|---|---|---|---|---|\n"
	all := families(t)
	var table strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		labels := "`" + strings.Join(f.labels, "` `") + "`"
		if len(f.labels) == 0 {
			labels = "–"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", name, f.kind, labels, strings.Join(f.by, ", "), f.help)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no table", path)
	}
	written, after, _ := strings.Cut(rest, "\n\n")
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+table.String()+"\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table.String(), written+"\n"); diff != "" {
		t.Errorf("%s differs; run the test with -update (-want +got):\n%s", path, diff)
	}
}

// A label that takes what callers send makes a series of each.
func TestNoLabelNamesAStore(t *testing.T) {
	for name, f := range families(t) {
		for _, label := range f.labels {
			if slices.Contains([]string{"store", "store_id", "host", "namespace", "creator", "creator_id", "path", "generation", "task_id"}, label) {
				t.Errorf("%s has the label %s", name, label)
			}
		}
	}
}

// asked finds in a rule what it sees increase, and matcher how that is selected.
var (
	asked   = regexp.MustCompile(`(?:increase|rate)\((orchestrator_[a-z_]+)\{([^}]*)\}`)
	matcher = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
)

// TestWhatAlertsSeeIncreaseExistsFromTheStart looks for a series at 0 for each value that a rule names: one that is born at 1 has not increased.
func TestWhatAlertsSeeIncreaseExistsFromTheStart(t *testing.T) {
	rules, err := os.ReadFile("../../../deploy/alerts/orchestrator.yaml")
	if err != nil {
		t.Fatal(err)
	}
	series := map[string][]map[string]string{}
	for _, reg := range processes(t) {
		gathered, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gathered {
			for _, m := range g.GetMetric() {
				labels := map[string]string{}
				for _, l := range m.GetLabel() {
					labels[l.GetName()] = l.GetValue()
				}
				series[g.GetName()] = append(series[g.GetName()], labels)
			}
		}
	}
	all := asked.FindAllStringSubmatch(string(rules), -1)
	for _, m := range all {
		name := strings.TrimSuffix(strings.TrimSuffix(m[1], "_count"), "_bucket")
		if strings.HasPrefix(name, "orchestrator_backup_gate_") {
			continue // its process is none of these, and its alert compares rates
		}
		there := slices.ContainsFunc(series[name], func(labels map[string]string) bool {
			for _, want := range matcher.FindAllStringSubmatch(m[2], -1) {
				equal := regexp.MustCompile("^(?:" + want[3] + ")$").MatchString(labels[want[1]])
				if equal == strings.HasPrefix(want[2], "!") {
					return false
				}
			}
			return true
		})
		if !there {
			t.Errorf("no series %s{%s} exists from the start", m[1], m[2])
		}
	}
	if len(all) < 10 {
		t.Errorf("only %d are found in the rules", len(all))
	}
}

// TestNamesAreAsPrometheusWantsThem has promtool look at what a worker and ingest show.
func TestNamesAreAsPrometheusWantsThem(t *testing.T) {
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not on PATH: run `.ci/need promtool prometheus`, or the tests by `make test`, which brings it")
	}
	for process, reg := range processes(t) {
		answer := httptest.NewRecorder()
		service.Admin(reg, nil).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		cmd := exec.CommandContext(t.Context(), path, "check", "metrics")
		cmd.Stdin = answer.Body
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", process, err, out)
		}
	}
}

// TestAWorkerHasFewSeries counts what a worker of one cluster shows from the start.
func TestAWorkerHasFewSeries(t *testing.T) {
	gathered, err := processes(t)["worker"].Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := 0
	for _, g := range gathered {
		for _, m := range g.GetMetric() {
			if h := m.GetHistogram(); h != nil {
				series += len(h.GetBucket()) + 3 // +Inf, sum and count
			} else {
				series++
			}
		}
	}
	if t.Logf("%d series", series); series > 2000 {
		t.Errorf("a worker shows %d series from the start", series)
	}
}
