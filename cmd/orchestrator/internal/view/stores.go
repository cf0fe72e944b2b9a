package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"orchestrator/provision"
)

// List formats a page of stores as a table.
func List(stores []provision.State, now time.Time, width int, style Style) []string {
	several := slices.ContainsFunc(stores, func(s provision.State) bool { return s.Cluster != "" })
	names := []string{"STORE", "ENGINE", "STATUS", "AGE", "HOST", "NOTE"}
	if several {
		names = slices.Insert(names, 4, "CLUSTER")
	}
	rows := [][]Cell{head(names...)}
	for _, s := range stores {
		cells := []string{s.StoreID, s.Engine, string(s.Status), age(now.Sub(s.AcceptedAt)), s.Host, note(s)}
		if several {
			cells = slices.Insert(cells, 4, cmp.Or(s.Cluster, provision.DefaultCluster))
		}
		row := Text(cells...)
		row[2].Color = ColorOf(s.Status)
		rows = append(rows, row)
	}
	return Table(rows, width, style)
}

// Wide formats a page of stores as a table with more of each store, whose lines are not cut.
func Wide(stores []provision.State, now time.Time, style Style) []string {
	rows := [][]Cell{head("STORE", "ENGINE", "STATUS", "CODE", "AGE", "CLUSTER", "HOST", "NAMESPACE", "RELEASE", "CREATOR", "GENERATION", "NOTE")}
	for _, s := range stores {
		row := Text(s.StoreID, s.Engine, string(s.Status), string(s.Code), age(now.Sub(s.AcceptedAt)), cmp.Or(s.Cluster, provision.DefaultCluster), s.Host, s.Namespace, s.Name,
			s.CreatorID, strconv.FormatInt(s.Generation, 10), note(s))
		row[2].Color = ColorOf(s.Status)
		rows = append(rows, row)
	}
	return Table(rows, 0, style)
}

// Live formats the first stores, at most rows, and their steps as a table that can be redrawn in place.
func Live(stores []provision.State, now time.Time, width, rows int, style Style) []string {
	hidden := max(0, len(stores)-rows)
	cells := [][]Cell{head("STORE", "ENGINE", "STATUS", "TIME", "STEPS")}
	for _, s := range stores[:len(stores)-hidden] {
		row := Text(s.StoreID, s.Engine, string(s.Status), Duration(Elapsed(s, now)), liveNote(s, now))
		row[2].Color, row[4].Tail = ColorOf(s.Status), !s.Status.Final()
		cells = append(cells, row)
	}
	lines := Table(cells, width, style)
	if hidden > 0 {
		lines = append(lines, style.Paint(Faint, fmt.Sprintf("and %d more: orchestrator list", hidden)))
	}
	return lines
}

func liveNote(s provision.State, now time.Time) string {
	switch {
	case s.Status.Final() && !s.Status.Succeeded():
		return s.Error
	case !s.Status.Final() && s.DeleteGeneration > 0:
		return "waits for an earlier delete"
	case !s.OnHoldSince.IsZero():
		return "on hold: others have failed for one cause, see orchestrator holds"
	case s.CreatorInProgress > 0:
		return "waits for other stores of its creator"
	case !s.Status.Final() && s.Attempts > 0:
		return fmt.Sprintf("%s failed · %s", runs(s.Attempts), Progress(s, now))
	}
	return Progress(s, now)
}

// note is the most important thing to know about a store, in a few words.
func note(s provision.State) string {
	switch {
	case s.Status.Final() && s.PendingCallbacks > 0:
		return "the callback is not delivered yet"
	case s.Status.Final() && s.DeadLetterID != "":
		return "the backend refused a callback"
	case s.Error != "":
		return s.Error
	case !s.DeleteAt.IsZero():
		return "will be deleted at " + s.DeleteAt.Format(time.RFC3339)
	case s.Status == provision.StatusSuspended:
		return s.SuspendReason
	case !s.Status.Final() && s.DeleteGeneration > 0:
		return "waits for an earlier delete"
	case s.CreatorInProgress > 0:
		return "waits for other stores of its creator"
	case !s.Status.Final() && s.Attempts > 0:
		return runs(s.Attempts) + " failed, will be retried"
	case !s.Status.Final() && !s.Running:
		return "waits for a worker"
	}
	return ""
}

// showBackups adds how a store's backups are, and whether one was proven.
func showBackups(s provision.State, add func(name, value string, color Color)) {
	if f := s.BackupFailure; f != nil {
		add("not backed up", "since "+f.Since.Format(time.RFC3339)+": "+f.Error, Bad)
	}
	if b := s.Backup; b != nil {
		add("backup", fmt.Sprintf("of %s, with %d orders and %d products", b.At.Format(time.RFC3339), b.Orders, b.Products), "")
	}
	if f := s.RestoreTestFailure; f != nil {
		add("not proven", "since "+f.Since.Format(time.RFC3339)+": "+f.Error, Bad)
	}
	if t := s.RestoreTest; t != nil {
		add("proven", fmt.Sprintf("at %s: the backup of %s was restored beside the store, and its shop could be used", t.At.Format(time.RFC3339), t.BackupAt.Format(time.RFC3339)), "")
	}
	if !s.BackupRequestedAt.IsZero() {
		add("asked for", "a backup, at "+s.BackupRequestedAt.Format(time.RFC3339), Busy)
	}
}

// Show formats everything that is known about one store.
func Show(s provision.State, now time.Time, width int, style Style) []string {
	rows := [][]Cell{}
	add := func(name, value string, color Color) {
		if value != "" {
			rows = append(rows, []Cell{{Text: name, Color: Faint}, {Text: value, Color: color}})
		}
	}
	add("store", s.StoreID, Bold)
	add("status", string(s.Status), ColorOf(s.Status))
	add("cause", cause(s), Bad)
	if s.Suspended {
		add("suspended", cmp.Or(s.SuspendReason, "no reason was given"), Busy)
	}
	if !s.DeleteAt.IsZero() {
		add("deleted", "at "+s.DeleteAt.Format(time.RFC3339)+", unless anything is asked of it before: orchestrator resume "+s.StoreID, Bad)
	}
	if s.Protected {
		add("protected", "deletes are refused; lift that with: orchestrator unprotect "+s.StoreID, Busy)
	}
	add("unwell", s.Unwell, Bad)
	showBackups(s, add)
	add("restore", restoring(s.Restore), Busy)
	add("drift", drift(s.Drift), Bad)
	if s.Outdated {
		add("outdated", "a new store gets another edition; upgrade with: orchestrator retry "+s.StoreID+" --force upgrade", Busy)
	}
	add("engine", s.Engine, "")
	add("release", s.Name, "")
	add("cluster", s.Cluster, "")
	add("namespace", s.Namespace, "")
	add("host", s.Host, "")
	add("url", s.StoreURL, "")
	add("creator", s.CreatorID, "")
	for _, name := range slices.Sorted(maps.Keys(s.Outputs)) {
		add(name, s.Outputs[name], "")
	}
	add("accepted", fmt.Sprintf("%s, %s ago", Clock(s.AcceptedAt), age(now.Sub(s.AcceptedAt))), "")
	if s.Status.Final() && !s.DecidedAt.IsZero() {
		add("took", Duration(Elapsed(s, now)), "")
	}
	add("task", s.TaskID, "")
	add("runs", runProblems(s), Busy)
	lines := Table(rows, width, style)
	lines = append(lines, "")
	lines = append(lines, stepTable(s, now, width, style)...)
	lines = append(lines, deliveryTable(s, width, style)...)
	return append(lines, Next(s, now))
}

func cause(s provision.State) string {
	if s.Error == "" {
		return ""
	}
	return fmt.Sprintf("%s (%s)", s.Error, s.Code)
}

func runProblems(s provision.State) string {
	var parts []string
	if s.Attempts > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", s.Attempts))
	}
	if s.Crashes > 0 {
		parts = append(parts, fmt.Sprintf("%d crashed", s.Crashes))
	}
	return strings.Join(parts, ", ")
}

// stepTable formats the steps of the newest generation, followed by an empty line.
func stepTable(s provision.State, now time.Time, width int, style Style) []string {
	steps := Latest(s)
	if len(steps) == 0 {
		return nil
	}
	rows := [][]Cell{head("STEP", "STATE", "TIME", "")}
	for _, step := range steps {
		row := Text(stepName(step, s.Action), string(step.State), Duration(Took(step, now)), step.Error)
		row[1].Color = colorOfStep(step.State)
		rows = append(rows, row)
	}
	return append(Table(rows, width, style), "")
}

// stepName marks the steps of an earlier delete that has to end before a provision begins.
func stepName(step provision.Step, action provision.Op) string {
	if step.Op != action {
		return string(step.Op) + " " + step.Name
	}
	return step.Name
}

func colorOfStep(s provision.StepState) Color {
	switch s {
	case provision.StepDone:
		return Good
	case provision.StepFailed:
		return Bad
	default:
		return Busy
	}
}

func head(names ...string) []Cell {
	cells := Text(names...)
	for i := range cells {
		cells[i].Color = Faint
	}
	return cells
}

// Clock formats a time as the local time of day.
func Clock(t time.Time) string { return t.Local().Format("15:04:05") }
