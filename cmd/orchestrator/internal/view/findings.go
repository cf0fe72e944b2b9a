package view

import (
	"fmt"
	"strings"

	"orchestrator/provision"
)

// Findings formats what audits have found as a table.
func Findings(kinds []provision.FindingKind, found map[provision.FindingKind][]provision.State, width int, style Style) []string {
	rows := [][]Cell{head("FOUND", "STORE", "ENGINE", "WHAT")}
	for _, kind := range kinds {
		for _, s := range found[kind] {
			what := "edition " + s.Edition
			switch kind {
			case provision.FindingDrifted:
				what = drift(s.Drift)
			case provision.FindingUnwell:
				what = s.Unwell
			case provision.FindingOutdated:
			}
			row := Text(string(kind), s.StoreID, s.Engine, what)
			row[0].Color = Bad
			rows = append(rows, row)
		}
	}
	return Table(rows, width, style)
}

// drift says which objects differ, and in what.
func drift(differences []provision.Difference) string {
	parts := make([]string, len(differences))
	for i, d := range differences {
		parts[i] = d.Object + ": " + strings.Join(d.Fields, ", ")
		if d.Missing {
			parts[i] = d.Object + " is missing"
		}
		if d.Manager != "" {
			parts[i] += fmt.Sprintf(" (by %s)", d.Manager)
		}
	}
	return strings.Join(parts, "; ")
}
