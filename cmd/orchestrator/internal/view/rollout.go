package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orchestrator/provision"
)

var rolloutColors = map[provision.RolloutState]Color{provision.RolloutPaused: Bad, provision.RolloutAborted: Bad, provision.RolloutDone: Good}

// Rollout formats a rollout and what of it has failed.
func Rollout(o provision.Rollout, now time.Time, width int, style Style) []string {
	rows := [][]Cell{}
	add := func(name, value string, color Color) {
		if value != "" {
			rows = append(rows, []Cell{{Text: name, Color: Faint}, {Text: value, Color: color}})
		}
	}
	add("engine", o.Engine, Bold)
	add("state", string(o.State), rolloutColors[o.State])
	add("reason", o.Reason, Bad)
	add("started", fmt.Sprintf("%s, %s ago", Clock(o.StartedAt), age(now.Sub(o.StartedAt))), "")
	if o.State != provision.RolloutDone {
		add("wave", fmt.Sprintf("%d of %d (%s, all)", min(o.Wave, len(o.Waves)+1), len(o.Waves)+1, strings.Join(o.Waves, ", ")), "")
	}
	if o.State == provision.RolloutRunning && o.SoakUntil.After(now) {
		add("next wave", "in "+age(o.SoakUntil.Sub(now)), "")
	}
	add("stores", fmt.Sprintf("%d: %d upgraded, %d failed, %d left out, %d being upgraded, %d to come", o.Total, o.Done, o.Failed, o.Skipped, o.Doing, o.Todo), "")
	for _, cluster := range slices.Sorted(maps.Keys(o.Editions)) {
		add("edition", fmt.Sprintf("%s (cluster %s)", o.Editions[cluster], cluster), "")
	}
	lines := Table(rows, width, style)
	if len(o.Errors) == 0 {
		return lines
	}
	failed := [][]Cell{head("FAILED", "WHY")}
	for _, id := range slices.Sorted(maps.Keys(o.Errors)) {
		failed = append(failed, Text(id, o.Errors[id]))
	}
	return append(append(lines, ""), Table(failed, width, style)...)
}
