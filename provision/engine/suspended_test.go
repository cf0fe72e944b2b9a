package engine_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/charts"
	"orchestrator/provision/engine"
)

// TestASuspendedStoreIsTheSameWithoutPods: everything else of it stays, so that nothing is lost and the same shop comes back: its quota too, or it would
// not fit in it when it is resumed.
func TestASuspendedStoreIsTheSameWithoutPods(t *testing.T) {
	replicas := regexp.MustCompile(`(?m)^(  replicas): \d+$`)
	for _, name := range engine.Names() {
		s := store(name, wanted)
		files := map[bool]string{}
		for _, suspended := range []bool{false, true} {
			s.Suspended = suspended
			rendered, err := renderFiles(charts.FS, "production", installation, s, releaseOf(t, s))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range slices.Sorted(maps.Keys(rendered)) {
				files[suspended] += rendered[path]
			}
		}
		running, stopped := replicas.FindAllString(files[false], -1), replicas.FindAllString(files[true], -1)
		if len(running) == 0 || len(running) != len(stopped) || slices.ContainsFunc(stopped, func(line string) bool { return line != "  replicas: 0" }) {
			t.Errorf("%s: running %q, suspended %q", name, running, stopped)
		}
		if diff := cmp.Diff(replicas.ReplaceAllString(files[false], "$1: n"), replicas.ReplaceAllString(files[true], "$1: n")); diff != "" {
			t.Errorf("%s: suspended it differs in more than its pods (-running +suspended):\n%s", name, diff)
		}
	}
}

// TestOfAStoreThatIsRestoredOnlyTheDatabaseRuns: what writes to it is stopped, and what holds sessions and jobs. One that is suspended too has no pods.
func TestOfAStoreThatIsRestoredOnlyTheDatabaseRuns(t *testing.T) {
	forEachVariant(t, func(t *testing.T, v variant, _ rendered) {
		v.store.Restoring = true
		for name, replicas := range render(t, v).replicas {
			database := strings.HasSuffix(name, "-mariadb") || strings.HasSuffix(name, "-postgres")
			if want := map[bool]int32{true: 1}[database && !v.store.Suspended]; replicas != want {
				t.Errorf("%s has %d pods, want %d", name, replicas, want)
			}
		}
	})
}
