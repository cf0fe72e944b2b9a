package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Screen is a place to print lines to, with a table below them that is redrawn in place. It is safe for concurrent use.
// Without a terminal there is no table.
type Screen struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	table    []string
}

// NewScreen returns a screen on a writer. terminal says that it understands ANSI cursor movements.
func NewScreen(out io.Writer, terminal bool) *Screen { return &Screen{out: out, terminal: terminal} }

// Print writes a line above the table.
func (s *Screen) Print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(fmt.Sprintf(format, args...)+"\n", s.table)
}

// Draw puts a table in the place of the one before. Its lines must not be wider than the terminal, nor more than its
// height.
func (s *Screen) Draw(table []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.terminal || slices.Equal(table, s.table) {
		return
	}
	s.write("", table)
}

// Keep leaves the table where it is, as lines like others: what comes next goes below it.
func (s *Screen) Keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table = nil
}

// write is one write to the terminal, so that nothing flickers: up to the table's first line, clear, text, table.
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
	_, _ = io.WriteString(s.out, b.String()) // nobody is left to be told
}
