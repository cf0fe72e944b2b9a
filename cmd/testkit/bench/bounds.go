package main

import "orchestrator/cmd/testkit/bench/figures"

// What a burst has to be. docs/performance.md says where the figures come from.
const (
	wantedRate     = 0.85 // of the limit's
	wantedCPU      = 0.07 // seconds for a store, of worker, ingest and Redis
	wantedOrder    = 0.6  // what has begun is finished first
	wantedMemory   = 80   // MB of the worker
	wantedIdle     = 0.5  // seconds, POST to READY
	wantedPickup   = 30   // milliseconds, POST to the first step
	wantedWaiting  = 200  // MB of the worker while 1,000 stores wait for their pods
	waitingBounded = 1000
)

// The short form is part of make test, on machines with other work. Times of two runs differ by half there, so that its bounds are about what is
// counted, and about times only where they are far off.
const (
	shortStores = 20
	shortRounds = 1
)

func (b *bench) burstBounds(t *figures.Table) []figures.Bound {
	rate := figures.Bound{Name: "stores/s as a part of the limit's", Value: t.Ratio(wayOurs, wayLimit, rowRate), AtLeast: true, Digits: 2}
	if b.short {
		return shortBounds(t, rate)
	}
	rate.Limit = wantedRate
	return []figures.Bound{
		rate,
		{Name: "CPU-s/store of worker, ingest and Redis", Value: t.Value(wayOurs, rowCPU), Limit: wantedCPU, Digits: 3},
		{Name: "p50 as a part of p95", Value: t.Value(wayOurs, rowOrder), Limit: wantedOrder, Digits: 2},
		{Name: "peak MB of the worker", Value: t.Value(wayOurs, rowWorker), Limit: wantedMemory},
	}
}

// shortBounds are one and a half times what the figures were, so that a figure that has doubled is found: 3.6 to 4.5 times the limit's processor time (7 % apart in
// runs with half to four fifths of the machine busy with other work), 43 requests, 243 to 300 commands (which include the polls of a slow run), 115 to 143 MB. The
// rate was 0.65 to 0.8 of the limit's on a quiet machine, and 0.5 to 1.6 in such runs.
func shortBounds(t *figures.Table, rate figures.Bound) []figures.Bound {
	rate.Limit = 0.25
	return []figures.Bound{
		rate,
		{Name: "CPU of worker, ingest and Redis by that of the limit", Value: t.Ratio(wayOurs, wayLimit, rowCPU), Limit: 6.5, Digits: 1},
		{Name: "API requests/store of the worker", Value: t.Value(wayOurs, rowRequests), Limit: 60},
		{Name: "Redis commands/store", Value: t.Value(wayOurs, rowCommands), Limit: 450},
		{Name: "peak MB of the worker", Value: t.Value(wayOurs, rowWorker), Limit: 210},
	}
}
