package main

import (
	"context"
	"fmt"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
)

// everyFault is how long a run may go on for each time that it has to see every fault, and every step struck.
const everyFault = 2 * time.Minute

// Dice may leave a fault out for as long as a run was to take. It then goes on, at most until mostTimes as long.
const (
	mostTimes = 3
	longer    = 50 * time.Second // for a worker to sleep through its lease
)

// enough returns when the time of faults is over and nothing was too seldom, or ctx has ended.
func (t *trouble) enough(ctx context.Context) {
	begun := time.Now()
	for rig.Sleep(ctx, time.Second) {
		if t.left() > 0 && time.Since(begun) < t.options.faults {
			continue
		}
		few := t.shortages()
		if len(few) == 0 || time.Since(begun) >= mostTimes*t.options.faults {
			return
		}
		if t.left() <= 0 {
			fmt.Println("faults go on:", few[0])
			t.goOn(longer)
		}
	}
}

// left is the time that faults still have.
func (t *trouble) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.ends)
}

func (t *trouble) goOn(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ends = time.Now().Add(d)
}

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
