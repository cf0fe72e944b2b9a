//go:build mutant_gate || mutant_verdict || mutant_turn || mutant_delete

package queue

import "strings"

// hole is a guard that a mutant lacks.
type hole struct{ script, guard, instead string }

// guarded puts the hole of this build into its script. A guard that is not there any more must not pass for one that
// was taken out.
func guarded(name, text string) string {
	if name != mutant.script {
		return text
	}
	if strings.Count(text, mutant.guard) != 1 {
		panic("queue: script " + name + " has changed; the mutant has to follow")
	}
	return strings.Replace(text, mutant.guard, mutant.instead, 1)
}
