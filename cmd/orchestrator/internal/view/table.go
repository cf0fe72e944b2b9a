// Package view formats the state of stores as text for a terminal: aligned, short, and safe to print.
package view

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"orchestrator/provision"
)

const gap = "  "

// Cell is text with its color.
type Cell struct {
	Text  string
	Color Color
	Tail  bool // if the text is too long, keep its end
}

// Text returns cells without color.
func Text(texts ...string) []Cell {
	cells := make([]Cell, len(texts))
	for i, text := range texts {
		cells[i].Text = text
	}
	return cells
}

// Table aligns rows of cells in columns, one line per row. Lines are cut at width, unless it is 0.
func Table(rows [][]Cell, width int, style Style) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(Clean(cell.Text)))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = line(row, widths, width, style)
	}
	return lines
}

func line(row []Cell, widths []int, width int, style Style) string {
	var b strings.Builder
	used := 0
	for i, cell := range row {
		text := Clean(cell.Text)
		if i > 0 && text != "" {
			// Padding is written before a cell, so that no line ends in blanks.
			pad := sum(widths[:i]) + i*len(gap) - used
			b.WriteString(strings.Repeat(" ", pad))
			used += pad
		}
		if width > 0 {
			text = cut(text, width-used, cell.Tail)
		}
		used += utf8.RuneCountInString(text)
		b.WriteString(style.Paint(cell.Color, text))
	}
	return strings.TrimRight(b.String(), " ")
}

func sum(numbers []int) (total int) {
	for _, n := range numbers {
		total += n
	}
	return total
}

// cut shortens text to limit characters, with an ellipsis in place of what is missing.
func cut(text string, limit int, tail bool) string {
	runes := []rune(text)
	switch {
	case len(runes) <= limit:
		return text
	case limit < 1:
		return ""
	case tail:
		return "…" + string(runes[len(runes)-limit+1:])
	}
	return string(runes[:limit-1]) + "…"
}

// Clean makes untrusted text safe for a line of a terminal: control characters become spaces.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// age formats a duration in whole units.
func age(d time.Duration) string {
	if d >= 0 && d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return Duration(d)
}

// Duration formats a duration briefly: "0.3 s", "2m05s", "3h04m".
func Duration(d time.Duration) string { return provision.InWords(d) }
