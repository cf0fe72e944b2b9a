package view

import (
	"strconv"
	"time"

	"orchestrator/provision"
)

// Holds formats holds as a table.
func Holds(holds []provision.Hold, now time.Time, width int, style Style) []string {
	rows := [][]Cell{head("CLUSTER", "ENGINE", "WAITING", "SINCE", "CAUSE")}
	for _, h := range holds {
		row := Text(h.Cluster, h.Engine, strconv.FormatInt(h.Stores, 10), age(now.Sub(h.Since))+" ago", string(h.Code)+": "+h.Error)
		row[4].Color = Bad
		rows = append(rows, row)
	}
	return Table(rows, width, style)
}
