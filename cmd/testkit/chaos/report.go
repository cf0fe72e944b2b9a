package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"orchestrator/cmd/testkit/chaos/model"
	"orchestrator/cmd/testkit/chaos/rig"
)

// report prints what was injected, what was found, and the summary.
func report(w io.Writer, installations []installation, inj *injector, all []model.Finding) {
	inj.table(w)
	for _, one := range installations {
		traffic(w, one)
	}
	for _, f := range all {
		fmt.Fprintf(w, "%s: %s\n  expected: %s\n  found:    %s\n", f.Kind, f.Store, f.Expected, f.Found)
	}
	for _, gap := range inj.gaps() {
		fmt.Fprintln(w, "insufficient coverage:", gap)
	}
	fmt.Fprintln(w, summary(all))
}

// summary is the last line of the report: the number of findings of each kind.
func summary(all []model.Finding) string {
	counts := map[model.Kind]int{}
	for _, f := range all {
		counts[f.Kind]++
	}
	var parts []string
	for _, kind := range model.Kinds {
		parts = append(parts, fmt.Sprintf("%s %d", kind, counts[kind]))
	}
	return strings.Join(parts, ", ")
}

// table prints how often each fault happened, and how many runs it hit in each step.
func (inj *injector) table(w io.Writer) {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	names := []string{}
	for name := range inj.happened {
		names = append(names, name)
	}
	slices.Sort(names)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "fault\ttimes\t")
	for _, p := range rig.Steps {
		fmt.Fprintf(table, "%s\t", p)
	}
	fmt.Fprintln(table)
	for _, name := range names {
		fmt.Fprintf(table, "%s\t%d\t", name, inj.happened[name])
		for _, p := range rig.Steps {
			fmt.Fprintf(table, "%d\t", inj.hits[name][p])
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}

// traffic prints how many requests and callbacks there were.
func traffic(w io.Writer, one installation) {
	answers, delivered := map[model.Answer]int{}, map[string]int{}
	for _, c := range one.clients {
		history := c.history()
		for _, request := range history.Requests {
			answers[request.Answer]++
		}
		for _, d := range history.Deliveries {
			delivered[string(d.Status)]++
		}
	}
	retained, retried, cancelled, suspended, rotated, later := 0, 0, 0, 0, 0, 0
	for _, c := range one.clients {
		retried, cancelled, suspended, rotated, later = retried+c.retried, cancelled+c.cancelled, suspended+c.suspended, rotated+c.rotated, later+c.later
		for _, r := range c.history().Requests {
			if r.RetainData {
				retained++
			}
		}
	}
	_, writes := one.rig.Watch.Found()
	fmt.Fprintf(w, "%s: %d requests accepted, %d uncertain, %d refused, %d retries, %d cancelled, %d suspended, %d rotated, %d with grace, %d retain the data; deliveries: %v; %d writes to the cluster observed\n",
		one.rig.Name, answers[model.Accepted], answers[model.Uncertain], answers[model.Refused], retried, cancelled, suspended, rotated, later, retained, delivered, writes)
}
