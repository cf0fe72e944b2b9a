package view

import (
	"time"

	"orchestrator/provision"
)

// DeadLetters formats a page of dead letters as a table.
func DeadLetters(letters []provision.DeadLetter, now time.Time, width int, style Style) []string {
	rows := [][]Cell{head("ID", "STORE", "STATUS", "WHEN", "REASON")}
	for _, l := range letters {
		row := Text(l.ID, l.StoreID, string(l.Status), age(now.Sub(l.RefusedAt))+" ago", l.Reason)
		row[2].Color = ColorOf(l.Status)
		rows = append(rows, row)
	}
	return Table(rows, width, style)
}
