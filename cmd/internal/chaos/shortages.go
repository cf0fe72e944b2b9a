package main

import (
	"fmt"
	"time"

	"orchestrator/cmd/internal/chaos/rig"
)

// everyFault is how long a run may go on for each time that it has to see every fault, and every step struck.
const everyFault = 2 * time.Minute

// shortages say which faults happened too seldom for a run of this length to prove anything. A shorter run has
// to see each of them once all the same.
func (t *trouble) shortages() []string {
	if t.options.aim != "" {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	least := max(1, int(t.options.faults/everyFault))
	var all []string
	for _, name := range []string{killed, slept, stopped, "ingest killed", "redis killed", "redis paused", "API server stopped",
		"API server killed", "backend: 500", "backend: hangs", "backend: down", wiped, superseded, rig.LostVerdict, rig.LostAccept, rig.LostEnqueue} {
		if n := t.happened[name]; n < least {
			all = append(all, fmt.Sprintf("%s: %d times, at least %d are needed", name, n, least))
		}
	}
	for _, place := range rig.Places {
		n := t.hits[killed][place] + t.hits[slept][place] + t.hits[stopped][place]
		if n < least {
			all = append(all, fmt.Sprintf("workers hit in %s: %d times, at least %d are needed", place, n, least))
		}
	}
	return all
}
