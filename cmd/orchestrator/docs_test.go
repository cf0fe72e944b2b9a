package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// commandLine finds what a text has an operator type.
var commandLine = regexp.MustCompile("(?:`|(?m:^(?:\\$ )?))orchestrator ([^`\n#]+)")

// TestRunbookNamesCommandsThatExist: at 3 a.m. a command that is called otherwise by now is of no use.
func TestRunbookNamesCommandsThatExist(t *testing.T) {
	found := 0
	for _, path := range []string{"../../docs/runbook.md", "../../docs/operations.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range commandLine.FindAllStringSubmatch(string(text), -1) {
			command, rest, err := newRoot().Find(strings.Fields(m[1]))
			if err != nil || !command.HasParent() {
				t.Errorf("%s: `orchestrator %s`: there is no such command", path, m[1])
				continue
			}
			found++
			for _, word := range rest {
				name, long := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if long && command.Flags().Lookup(name) == nil && command.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%s: `orchestrator %s`: %s has no flag --%s", path, m[1], command.CommandPath(), name)
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d commands are found", found)
	}
}
