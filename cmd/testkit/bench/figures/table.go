package figures

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Row is one figure of a run.
type Row struct {
	Name   string
	Value  float64 // NaN: not known
	Digits int     // behind the point
}

// Table has the rows of several runs of each of several ways, one of which the others are compared with.
type Table struct {
	ways   []string
	rows   []Row // each name once, in the order in which they came
	values map[string]map[string][]float64
}

// NewTable returns an empty table of the ways, in the order of its columns.
func NewTable(ways ...string) *Table {
	return &Table{ways: ways, values: map[string]map[string][]float64{}}
}

// Add adds a run of a way.
func (t *Table) Add(way string, rows []Row) {
	for _, row := range rows {
		if t.values[row.Name] == nil {
			t.values[row.Name] = map[string][]float64{}
			t.rows = append(t.rows, row)
		}
		t.values[row.Name][way] = append(t.values[row.Name][way], row.Value)
	}
}

// Value returns the median of a way's runs; NaN where it has none.
func (t *Table) Value(way, row string) float64 { return Median(t.values[row][way]) }

// Ratio returns the median of the ratios of two ways in the same round.
func (t *Table) Ratio(way, by, row string) float64 {
	return Median(Ratios(t.values[row][way], t.values[row][by]))
}

// Write prints the medians in Markdown, without rows that no way has. The last column is the second way divided by the first.
func (t *Table) Write(w io.Writer) {
	ratio := t.ways[1] + "/" + t.ways[0]
	fmt.Fprintf(w, "| | %s | %s |\n|---|%s\n", strings.Join(t.ways, " | "), ratio, strings.Repeat("---|", len(t.ways)+1))
	for _, row := range t.rows {
		if !t.known(row.Name) {
			continue
		}
		cells := []string{row.Name}
		for _, way := range t.ways {
			cells = append(cells, Number(t.Value(way, row.Name), row.Digits))
		}
		cells = append(cells, Number(t.Ratio(t.ways[1], t.ways[0], row.Name), 2))
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// known reports whether some way has the figure.
func (t *Table) known(row string) bool {
	return slices.ContainsFunc(t.ways, func(way string) bool { return !math.IsNaN(t.Value(way, row)) })
}

// Number formats a figure; what is not known is a dash.
func Number(value float64, digits int) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, value)
}

// Bound is what a figure has to be: at least or at most a limit.
type Bound struct {
	Name    string
	Value   float64
	Limit   float64
	AtLeast bool
	Digits  int
}

// Met reports whether the figure is as it has to be. What is not known is not.
func (b Bound) Met() bool {
	if b.AtLeast {
		return b.Value >= b.Limit
	}
	return b.Value <= b.Limit
}

// WriteBounds prints each bound with what was measured, and reports whether all are met.
func WriteBounds(w io.Writer, bounds []Bound) bool {
	all := true
	fmt.Fprint(w, "| | measured | wanted | |\n|---|---|---|---|\n")
	for _, b := range bounds {
		sign, verdict := "≤", "ok"
		if b.AtLeast {
			sign = "≥"
		}
		if !b.Met() {
			verdict, all = "not met", false
		}
		fmt.Fprintf(w, "| %s | %s | %s %s | %s |\n", b.Name, Number(b.Value, b.Digits), sign, Number(b.Limit, b.Digits), verdict)
	}
	return all
}
