// Package record is the record of each store in Redis, which decides: the newest request, who may run it, and its outcome.
// With it are kept the pending callbacks, the dead letters and the journal, which is only shown.
//
// Each change of a record is one Lua script, so that check and change are one. docs/redis.md lists the keys, the fields and
// the scripts. Every method may be repeated: after an error that leaves the result open, repeating it gives the result of
// having done it once.
//
// Errors: a Redis that does not answer is a [provision.Error] of code unavailable; other codes are named where a method
// returns them; any other error is a defect.
package record

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
)

// Records are the store records in one Redis, grouped by the process that needs them. All groups share one connection and
// are safe for concurrent use.
type Records struct {
	Requests  *Requests
	Fleet     *Fleet
	Rollouts  *Rollouts
	Backups   *Backups
	Repeats   *Repeats
	Runs      *Runs
	Callbacks *Callbacks
	Recovery  *Recovery
	Events    *Events
	Stats     *Stats
}

// Requests accepts requests and shows what is on record of the stores.
type Requests struct{ client }

// Fleet shows and decides what is about many stores at once.
type Fleet struct{ client }

// Backups says when stores are backed up, and keeps how that has ended.
type Backups struct{ client }

// Repeats accepts once more what the records ask for, on other terms, and gives up what has not begun.
type Repeats struct{ client }

// Runs leases stores to runs, one run per store at a time, and records their outcomes.
type Runs struct{ client }

// Callbacks leases the delivery of callbacks, one delivery per store at a time, and keeps the dead letters.
type Callbacks struct{ client }

// Recovery finds what crashes, outages and a loss of Redis leave behind.
type Recovery struct{ client }

// Events says what happens to stores, to those who watch.
type Events struct{ client }

// Stats counts what is on record, for the metrics.
type Stats struct{ client }

// Options are what an installation decides about its records. The zero value sets no limit and names no cluster.
type Options struct {
	// CreatorLimit is how many new stores of one creator may be in progress; 0 sets no limit. A store is new until its first
	// outcome. Workers should agree on the limit: the process that asks decides by its own.
	CreatorLimit int
	// StoresPerCreator is how many stores one creator may have; 0 sets no quota. It matters where requests are accepted.
	StoresPerCreator int
	// Heal lets a store that has failed be looked at until it is well: [Fleet.DueHeals].
	Heal bool
	// HoldAfter is how many creators may fail for one cause of the installation before the others wait; 0: they never wait.
	HoldAfter int
	// Placement is needed where requests are accepted for an installation with several clusters: all of them. A worker does
	// not need it: it accepts requests for stores only that live on a cluster already, or that name one.
	Placement provision.Placement
}

// New returns the records kept in a Redis. The client should fail within a few seconds ([redisconn.FailFast]).
func New(redis redis.UniversalClient, o Options) *Records {
	c := client{redis: redis, creatorLimit: o.CreatorLimit, holdAfter: o.HoldAfter, heal: o.Heal, storesPerCreator: o.StoresPerCreator, placement: o.Placement}
	return &Records{Requests: &Requests{c}, Fleet: &Fleet{c}, Rollouts: &Rollouts{c}, Backups: &Backups{c}, Repeats: &Repeats{c}, Runs: &Runs{c}, Callbacks: &Callbacks{c}, Recovery: &Recovery{c}, Events: &Events{c}, Stats: &Stats{c}}
}

// client is what the groups of records share.
type client struct {
	redis            redis.UniversalClient
	creatorLimit     int
	holdAfter        int
	storesPerCreator int
	heal             bool
	placement        provision.Placement
}

// asynqCancel is the channel by which asynq cancels tasks.
const asynqCancel = "asynq:cancel"

// CheckAccess returns an error that says what the Redis user lacks, and nil where Redis does not answer. It changes nothing. Without
// it the first request would meet what is missing, in the middle of a script.
func CheckAccess(ctx context.Context, client redis.UniversalClient) error {
	var missing []error
	for _, need := range []struct {
		rule string
		try  func() error
	}{
		{"~{orch}:* for the records", func() error { return client.Exists(ctx, keyComplete).Err() }},
		{"~asynq:* for the queues", func() error { return client.Exists(ctx, "asynq:queues").Err() }},
		{"+eval +evalsha +script for the scripts", func() error { return client.Eval(ctx, "return 1", nil).Err() }},
		{"&" + channelNewest + " for newer requests", func() error { return client.Publish(ctx, channelNewest, "").Err() }},
		{"&" + asynqCancel + " for asynq", func() error { return client.Publish(ctx, asynqCancel, "").Err() }},
	} {
		if err := need.try(); err != nil && strings.HasPrefix(err.Error(), "NOPERM") {
			missing = append(missing, errors.New(need.rule))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the Redis user lacks rights; add to its ACL rules:\n%w", errors.Join(missing...))
}
