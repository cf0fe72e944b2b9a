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

// report prints what was done, what was found, and the one line that counts.
func report(w io.Writer, r *rig.Rig, customers []*customer, t *trouble, all []model.Finding) {
	t.table(w)
	traffic(w, r, customers)
	for _, f := range all {
		fmt.Fprintf(w, "%s: %s\n  expected: %s\n  found:    %s\n", f.Kind, f.Store, f.Expected, f.Found)
	}
	for _, shortage := range t.shortages() {
		fmt.Fprintln(w, "too seldom to prove anything:", shortage)
	}
	fmt.Fprintln(w, summary(all))
}

// summary is the line that decides.
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

// table says how often each fault happened, and how many runs it hit in each step.
func (t *trouble) table(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := []string{}
	for name := range t.happened {
		names = append(names, name)
	}
	slices.Sort(names)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "fault\ttimes\t")
	for _, p := range rig.Places {
		fmt.Fprintf(table, "%s\t", p)
	}
	fmt.Fprintln(table)
	for _, name := range names {
		fmt.Fprintf(table, "%s\t%d\t", name, t.happened[name])
		for _, p := range rig.Places {
			fmt.Fprintf(table, "%d\t", t.hits[name][p])
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}

// traffic says how much went through.
func traffic(w io.Writer, r *rig.Rig, customers []*customer) {
	answers, told := map[model.Answer]int{}, map[string]int{}
	for _, c := range customers {
		story := c.story()
		for _, request := range story.Requests {
			answers[request.Answer]++
		}
		for _, d := range story.Deliveries {
			told[string(d.Status)]++
		}
	}
	_, writes := r.Watch.Found()
	fmt.Fprintf(w, "%d requests accepted, %d perhaps, %d refused; deliveries: %v; %d writes to the cluster watched\n",
		answers[model.Accepted], answers[model.Perhaps], answers[model.Refused], told, writes)
}
