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

// Summary formats the counts of all stores, and those that are under way the longest.
func Summary(s provision.Summary, now time.Time, width int, style Style) []string {
	rows := [][]Cell{{{Text: "stores", Color: Faint}, {Text: strconv.FormatInt(s.Stores, 10), Color: Bold}}}
	add := func(name, counts string, color Color) {
		if counts != "" {
			rows = append(rows, []Cell{{Text: name, Color: Faint}, {Text: counts, Color: color}})
		}
	}
	add("status", counted(s.Status), "")
	add("cause", counted(s.Code), Bad)
	add("engine", counted(s.Engine), "")
	add("cluster", counted(s.Cluster), "")
	lines := Table(rows, width, style)
	if len(s.Oldest) == 0 {
		return lines
	}
	return append(append(lines, "", "Under way the longest:"), List(s.Oldest, now, width, style)...)
}

// counted lists counts, the highest first: "READY 1190, FAILED 8".
func counted[V cmp.Ordered](counts map[V]int64) string {
	words := make([]string, 0, len(counts))
	for _, value := range slices.SortedFunc(maps.Keys(counts), func(a, b V) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	}) {
		words = append(words, fmt.Sprintf("%v %d", value, counts[value]))
	}
	return strings.Join(words, ", ")
}
