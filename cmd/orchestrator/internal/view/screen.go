package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Screen prints lines, with a table below them that is redrawn in place. Without a terminal it prints lines only. It is safe
// for concurrent use.
type Screen struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	table    []string
}

// NewScreen returns a screen on a writer. terminal says whether it understands ANSI cursor movements.
func NewScreen(out io.Writer, terminal bool) *Screen { return &Screen{out: out, terminal: terminal} }

// Print writes a line above the table.
func (s *Screen) Print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(fmt.Sprintf(format, args...)+"\n", s.table)
}

// Draw replaces the table. The new one must fit into the terminal.
func (s *Screen) Draw(table []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.terminal || slices.Equal(table, s.table) {
		return
	}
	s.write("", table)
}

// Release turns the table into ordinary lines: what is printed next goes below it.
func (s *Screen) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = nil
}

// write moves up to the table's first line, clears, and prints text and table, in a single write so that nothing flickers.
func (s *Screen) write(text string, table []string) {
	var b strings.Builder
	if n := len(s.table); n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", n)
	}
	b.WriteString(text)
	for _, line := range table {
		b.WriteString(line + "\n")
	}
	s.table = table
	_, _ = io.WriteString(s.out, b.String()) // the error could only be printed to the same terminal
}
