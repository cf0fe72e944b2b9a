//go:build realcluster

package e2e

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the table at the end of a run.
type report struct{ rows []row }

type row struct {
	engine, phase string
	took          time.Duration
	seen          string
}

func (r *report) add(w row) { r.rows = append(r.rows, w) }

func (r *report) print(to io.Writer) {
	table := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nENGINE\tPHASE\tSECONDS\tSEEN")
	for _, w := range r.rows {
		seconds := ""
		if w.took > 0 {
			seconds = fmt.Sprintf("%6.1f", w.took.Seconds())
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", w.engine, w.phase, seconds, w.seen)
	}
	_ = table.Flush() // standard output
	fmt.Fprintln(to)
}

// shorten keeps a page from filling a message.
func shorten(text string) string {
	const most = 400
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
