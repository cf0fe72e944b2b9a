package selftest

import (
	"time"

	"orchestrator/cmd/orchestrator/internal/view"
)

// Lines returns the report as text: tables of steps, callbacks and checks.
func (r *Report) Lines(style view.Style) []string {
	now := time.Now()
	steps := [][]view.Cell{faint("STORE", "REQUEST", "OUTCOME", "TIME", "STEPS")}
	calls := [][]view.Cell{faint("STORE", "CALLBACK", "AFTER", "ID", "NOTE")}
	for _, request := range r.Requests {
		s, call := request.State, request.Callback
		row := view.Text(s.StoreID, string(s.Action), string(s.Status), view.Duration(view.Elapsed(s, now)), view.Progress(s, now))
		row[2].Color = view.ColorOf(s.Status)
		steps = append(steps, row)
		if call.WebhookID == "" {
			continue
		}
		row = view.Text(call.StoreID, string(call.Status), view.Duration(call.At.Sub(s.AcceptedAt)), call.WebhookID, call.Note())
		row[1].Color = view.ColorOf(call.Status)
		calls = append(calls, row)
	}
	checks := [][]view.Cell{faint("CHECK", "", "OBSERVED")}
	for _, c := range r.Checks {
		row := view.Text(c.What, "passed", c.Detail)
		if row[1].Color = view.Good; !c.Passed {
			row[1].Text, row[1].Color = "FAILED", view.Bad
		}
		checks = append(checks, row)
	}
	var lines []string
	for _, table := range [][][]view.Cell{steps, calls, checks} {
		lines = append(append(lines, ""), view.Table(table, 0, style)...)
	}
	return lines
}

func faint(names ...string) []view.Cell {
	cells := view.Text(names...)
	for i := range cells {
		cells[i].Color = view.Faint
	}
	return cells
}
