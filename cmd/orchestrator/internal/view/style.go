package view

import (
	"os"

	"golang.org/x/term"

	"orchestrator/provision"
)

// Color is an ANSI color code.
type Color string

// Colors by their meaning. The zero Color is the terminal's default.
const (
	Good  Color = "32"
	Bad   Color = "31"
	Busy  Color = "33"
	Faint Color = "2"
	Bold  Color = "1"
)

// Style says whether colors are used.
type Style struct{ Colors bool }

// Paint colors text if colors are used.
func (s Style) Paint(c Color, text string) string {
	if !s.Colors || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// StyleOf returns the style for a file: colors in a terminal, unless NO_COLOR is set (no-color.org).
func StyleOf(f *os.File) Style { return Style{Colors: IsTerminal(f) && os.Getenv("NO_COLOR") == ""} }

// IsTerminal reports whether a file is a terminal that can redraw in place.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" }

// Size returns the terminal's size, or 80×24 if it is unknown.
func Size(f *os.File) (width, height int) {
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 || height < 5 {
		return 80, 24
	}
	return width, height
}

// ColorOf returns the color of a status.
func ColorOf(s provision.Status) Color {
	switch {
	case s.Succeeded():
		return Good
	case s.Final():
		return Bad
	}
	return Busy
}
