package main

import (
	"context"
	"fmt"
	"time"

	"orchestrator/cmd/testkit/chaos/rig"
)

// perOccurrence is how long a chaos run may be for each time that every fault has to happen and every step has to be hit.
const perOccurrence = 2 * time.Minute

// Chance may leave out a fault for the whole time. Injection then goes on, for up to maxExtension times as long.
const (
	maxExtension = 3
	extension    = 50 * time.Second // enough to pause a worker beyond its lease
)

// awaitCoverage returns when the time for faults is over and all of them happened often enough, or when ctx has ended.
func (inj *injector) awaitCoverage(ctx context.Context) {
	begun := time.Now()
	for rig.Sleep(ctx, time.Second) {
		if inj.left() > 0 && time.Since(begun) < inj.options.faults {
			continue
		}
		missing := inj.gaps()
		if len(missing) == 0 || time.Since(begun) >= maxExtension*inj.options.faults {
			return
		}
		if inj.left() <= 0 {
			fmt.Println("coverage is incomplete, injecting more faults:", missing[0])
			inj.extend(extension)
		}
	}
}

// left is the time until fault injection ends.
func (inj *injector) left() time.Duration {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	return time.Until(inj.ends)
}

// pauseIsMissing reports whether faults go on although no worker was paused yet. Only the beginning of an extension leaves time for a
// pause, and chance has let it go by before.
func (inj *injector) pauseIsMissing() bool {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	return inj.extended && inj.options.aim == "" && inj.happened[slept] == 0
}

func (inj *injector) extend(d time.Duration) {
	inj.mu.Lock()
	defer inj.mu.Unlock()
	inj.extended = true
	inj.ends = time.Now().Add(d)
}

// gaps lists what happened too seldom for a chaos run of this length to prove anything. Even the shortest run has to see
// every fault once.
func (inj *injector) gaps() []string {
	if inj.options.aim != "" {
		return nil
	}
	inj.mu.Lock()
	defer inj.mu.Unlock()
	least := max(1, int(inj.options.faults/perOccurrence))
	var all []string
	for _, name := range []string{killed, slept, stopped, "ingest killed", "redis killed", "redis paused", shifted, "API server stopped",
		"API server killed", "backend: 500", "backend: hangs", "backend: down", splitFromRedis, splitFromAPI, wiped, superseded, rig.LostOutcome, rig.LostAccept, rig.LostEnqueue} {
		if n := inj.happened[name]; n < least {
			all = append(all, fmt.Sprintf("%s: happened %d times, must happen at least %d times", name, n, least))
		}
	}
	for _, step := range rig.Steps {
		n := inj.hits[killed][step] + inj.hits[slept][step] + inj.hits[stopped][step]
		if n < least {
			all = append(all, fmt.Sprintf("workers hit in %s: %d times, must be at least %d times", step, n, least))
		}
	}
	return all
}
