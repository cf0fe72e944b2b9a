package view

import (
	"strconv"

	"orchestrator/provision"
)

// Clusters formats clusters as a table.
func Clusters(clusters []provision.ClusterState, width int, style Style) []string {
	rows := [][]Cell{head("CLUSTER", "STATE", "STORES")}
	for _, one := range clusters {
		state, color := "healthy", Good
		switch {
		case one.Ending:
			state, color = "lost, its stores are being ended", Bad
		case one.Lost:
			state, color = "lost", Bad
		case !one.Healthy:
			state, color = "not reached by a worker", Bad
		}
		row := Text(one.Name, state, strconv.FormatInt(one.Stores, 10))
		row[1].Color = color
		rows = append(rows, row)
	}
	return Table(rows, width, style)
}
