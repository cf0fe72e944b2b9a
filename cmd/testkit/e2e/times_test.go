//go:build realcluster

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// What a customer waits for.
const (
	timeNew    = "POST to READY"
	timeChange = "settings change to READY"
	timePod    = "shop's pod deleted to ready"
)

// bounds are what TIMES=check holds the engines to: on a cluster with nothing else to do, and with the images on its nodes.
var bounds = map[string]map[string]time.Duration{
	"woocommerce": {timeNew: 9 * time.Second, timeChange: 8 * time.Second, timePod: 5 * time.Second},
	"medusa":      {timeNew: 15 * time.Second, timeChange: 12 * time.Second, timePod: 10 * time.Second},
}

// timed notes what a customer has waited. TIMES=check makes it an error to have waited longer than the bound; another cluster may have slower disks, or images to pull.
func (tr *tour) timed(what string, took time.Duration) {
	tr.rig.t.Helper()
	bound, seen := bounds[tr.store.Engine][what], ""
	if bound > 0 {
		seen = fmt.Sprintf("at most %g wanted", bound.Seconds())
	}
	tr.report.add(row{tr.store.Engine, "time: " + what, took, seen})
	tr.rig.t.Logf("%s %s: %.1f s, %s", tr.store.Engine, what, took.Seconds(), seen)
	if tr.options.times && bound > 0 && took > bound {
		tr.rig.t.Errorf("%s took %.1f s, more than %g", what, took.Seconds(), bound.Seconds())
	}
}

// way matches the lines by which containers say how a new shop came about: from what its image brings, or step by step.
var way = regexp.MustCompile(`(?m)^[a-z]+: .*(?:step by step|from the (?:shop's )?image).*$`)

// ways are these lines, of all containers of the store.
func (tr *tour) ways() (found []string) {
	tr.rig.t.Helper()
	tr.logs(tr.store, func(_, _, text string, err error) {
		if err == nil {
			found = append(found, way.FindAllString(text, -1)...)
		}
	})
	return found
}

// came notes which way the new shop came about. The bounds are for the short one.
func (tr *tour) came() string {
	tr.rig.t.Helper()
	found := strings.Join(tr.ways(), "; ")
	if tr.options.times && bounds[tr.store.Engine] != nil && (found == "" || strings.Contains(found, "step by step")) {
		tr.rig.t.Errorf("the times are not those of what the shop's image brings: %q", found)
	}
	return shorten(found)
}
