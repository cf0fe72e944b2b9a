package view

import (
	"time"

	"orchestrator/provision"
)

// Orphans formats orphans as a table.
func Orphans(orphans []provision.Orphan, now time.Time, width int, style Style) []string {
	rows := [][]Cell{head("KIND", "STORE", "STATUS", "SINCE", "HOST", "NOTE")}
	for _, o := range orphans {
		text := note(o.Store)
		if o.Kind == provision.OrphanContested {
			text = "store " + o.Store.ContestedBy + " asked for its host or namespace"
		}
		row := Text(string(o.Kind), o.Store.StoreID, string(o.Store.Status), age(now.Sub(o.Since))+" ago", o.Store.Host, text)
		row[2].Color = ColorOf(o.Store.Status)
		rows = append(rows, row)
	}
	return Table(rows, width, style)
}
