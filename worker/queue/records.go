package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
)

// deletedKeep is how long the record of a deleted store is kept after DELETED was told: it answers GET, and lets the
// sweeper recognise what is left of the store.
const deletedKeep = 30 * 24 * time.Hour

// Records decides: which request of a store is the newest, who may run it, and what its truth is.
type Records struct {
	redis      redis.UniversalClient
	perCreator int // how many new stores of one creator may be under way; 0: any number
	placement  provision.Placement
}

// NewRecords returns the records kept in a Redis. The client should fail within a few seconds ([Connect]).
func NewRecords(client redis.UniversalClient) *Records { return &Records{redis: client} }

// Limited returns the same records for a worker that has at most n new stores of one creator under way; 0 sets no limit.
// A store is new until its first verdict. Workers should agree on the limit; whichever asks decides by its own.
func (r *Records) Limited(n int) *Records {
	limited := *r
	limited.perCreator = n
	return &limited
}

// Placing returns the same records for whoever accepts requests for an installation with these clusters: all of them. A
// worker needs it not; what it accepts is for a store that has its place, or names one.
func (r *Records) Placing(p provision.Placement) *Records {
	placing := *r
	placing.placement = p
	return &placing
}

// Ping reports whether Redis answers.
func (r *Records) Ping(ctx context.Context) error { return redisError(r.redis.Ping(ctx).Err()) }

// Accept records a valid request as the newest of its store, or joins an equal one that is under way. patience is how
// long after acceptance the generation may take at the most. Errors of code conflict name the field: one that may not
// change while the store lives or its data is retained, one that another store owns, or a retain_data that comes too late. A new
// store is placed on a cluster.
func (r *Records) Accept(ctx context.Context, req provision.Request, patience time.Duration) (provision.Accepted, error) {
	kept := req
	kept.RetainData = false // a field of its own: the record's request is the provision's
	text, err := json.Marshal(kept)
	if err != nil {
		return provision.Accepted{}, err
	}
	answer, err := r.words(ctx, acceptScript,
		[]string{keyStore(req.StoreID), keyHosts, keyNamespaces, keyStores, keyOpen, keyJournal(req.StoreID), keyMarker},
		req.StoreID, string(req.Action), req.Digest(), text, req.Name, req.Namespace, req.Engine, req.Host,
		patience.Milliseconds(), channelNewest, req.CreatorID, flag(req.RetainData), r.places(req))
	if err != nil {
		return provision.Accepted{}, err
	}
	switch answer[0] {
	case "rebuilding":
		return provision.Accepted{}, rebuilding(answer)
	case "closed":
		return provision.Accepted{}, closed(req)
	case "changed":
		return provision.Accepted{}, provision.Errorf(provision.CodeConflict,
			"%s of store %s may not change while the store lives; delete the store first", answer[1], req.StoreID)
	case "retained":
		return provision.Accepted{}, provision.Errorf(provision.CodeConflict,
			"%s of store %s may not change while its data is retained; delete the store without retain_data first", answer[1], req.StoreID)
	case "deleting":
		return provision.Accepted{}, provision.Errorf(provision.CodeConflict,
			"retain_data comes too late for store %s: a delete of the store with its data is under way", req.StoreID)
	case "owned":
		return provision.Accepted{}, provision.Errorf(provision.CodeConflict,
			"%s is in use by another live store", answer[1])
	}
	gen := number(answer[1])
	return provision.Accepted{Generation: gen, TaskID: taskID(gen, req.StoreID), Joined: answer[0] == "joined", Cluster: clusterOf(answer[2])}, nil
}

// Entry is what [Records.Enter] found.
type Entry string

// Only Entered holds the gate; each of the others says why there is nothing to run now.
const (
	Entered    Entry = "entered"
	Held       Entry = "held"       // another run has the gate
	Waiting    Entry = "waiting"    // a delete of the store has to end first
	Misplaced  Entry = "elsewhere"  // the run has to be on another cluster
	Parked     Entry = "parked"     // its creator has as many new stores under way as allowed
	Superseded Entry = "superseded" // a newer request took this one's place
	Done       Entry = "done"       // the generation has its success; see that it is told
	Gone       Entry = "gone"       // there is no record of the store
)

// Run is one run of one generation, as the gate let it in.
type Run struct {
	Store    provision.Store
	Op       provision.Op
	Token    string
	Attempts int           // counted attempts before this one
	Crashes  int           // runs before this one that never left
	Left     time.Duration // until the generation's deadline; may be negative
	Next     []Task        // of other stores: provisions that this entry has made a place for

	Facts provision.Facts // what the run has learned, for the record of its READY
}

// Enter takes the store's gate for a run of this generation, for as long as lease. With progress a callback of the
// operation's progress is left to be told, once per generation.
func (r *Records) Enter(ctx context.Context, t Task, token string, lease time.Duration, progress bool) (Entry, Run, error) {
	answer, err := r.words(ctx, enterScript,
		[]string{keyStore(t.StoreID), keyGate(t.StoreID), keyCalls(t.StoreID)},
		string(t.Op), t.Generation, token, lease.Milliseconds(), flag(progress), t.StoreID, r.perCreator, scriptName(t.Cluster))
	if err != nil || Entry(answer[0]) != Entered {
		return entryOf(answer), Run{}, err
	}
	run := Run{Op: t.Op, Token: token, Attempts: int(number(answer[2])), Crashes: int(number(answer[3])),
		Left: time.Duration(number(answer[4])) * time.Millisecond, Next: tasksOf(provision.OpProvision, answer[6:])}
	if err := json.Unmarshal([]byte(answer[1]), &run.Store.Request); err != nil {
		return "", Run{}, fmt.Errorf("the record of store %s does not parse: %w", t.StoreID, err)
	}
	run.Store.Generation, run.Store.Cluster, run.Store.RetainData = t.Generation, t.Cluster, answer[5] == "1"
	return Entered, run, nil
}

func entryOf(answer []string) Entry {
	if len(answer) == 0 {
		return ""
	}
	return Entry(answer[0])
}

// Renewal is what [Records.Renew] found.
type Renewal string

// The gate is kept by Renewed only; a run that is Overtaken still holds it and should leave.
const (
	Renewed   Renewal = "held"
	Overtaken Renewal = "superseded"
	Lost      Renewal = "lost"
)

// Renew makes the run's lease last for lease from now on and tells whether its generation is still wanted.
func (r *Records) Renew(ctx context.Context, run Run, lease time.Duration) (Renewal, error) {
	answer, err := renewScript.Run(ctx, r.redis, []string{keyStore(run.Store.StoreID), keyGate(run.Store.StoreID)},
		string(run.Op), run.Store.Generation, run.Token, lease.Milliseconds()).Text()
	return Renewal(answer), redisError(err)
}

// Exit is how a run leaves the gate.
type Exit struct {
	Counted bool // the attempt counts against the limit
	Ended   bool // nothing follows by itself; a later run starts with all its chances
}

// Leave gives the gate back and returns the counted attempts of the generation, this one included.
func (r *Records) Leave(ctx context.Context, run Run, exit Exit) (attempts int, err error) {
	attempts, err = leaveScript.Run(ctx, r.redis, []string{keyStore(run.Store.StoreID), keyGate(run.Store.StoreID)},
		run.Token, flag(exit.Counted), flag(exit.Ended)).Int()
	return attempts, redisError(err)
}

// Ruling is what became of a verdict.
type Ruling string

// Written and Stands both mean that the generation's truth is on record and waits to be told, or was told.
const (
	Written Ruling = "written"
	Stands  Ruling = "stands"     // an earlier verdict stays
	Moot    Ruling = "superseded" // a newer request took this generation's place: nobody is told
	Onward  Ruling = "onward"     // a delete has found nothing more here and has to look in another cluster: next is its task there
	Expired Ruling = "lost"       // the run no longer holds the gate: its verdict counts for nothing
)

// Verdict writes the truth of the run's generation and leaves its callback to be told. The first one stands, except
// that a failure may become a success. next are the provisions
// that may begin now: the one that waited for this delete, and those that waited for a place.
func (r *Records) Verdict(ctx context.Context, run Run, status provision.Status, code provision.Code, text string) (ruling Ruling, next []Task, err error) {
	id := run.Store.StoreID
	facts, err := factsText(run.Facts)
	if err != nil {
		return "", nil, err
	}
	answer, err := r.words(ctx, verdictScript,
		[]string{keyStore(id), keyGate(id), keyCalls(id), keyHosts, keyNamespaces, keyOpen},
		id, string(run.Op), run.Store.Generation, run.Token, string(status), string(code), text, r.perCreator, scriptName(run.Store.Cluster), facts)
	if err != nil {
		return "", nil, err
	}
	ruling = Ruling(answer[0])
	if ruling == Onward {
		return ruling, tasksOf(provision.OpDelete, answer[1:]), nil
	}
	return ruling, tasksOf(provision.OpProvision, answer[1:]), nil
}

// factsText is how facts are kept; "" for none.
func factsText(facts provision.Facts) (string, error) {
	if len(facts) == 0 {
		return "", nil
	}
	text, err := json.Marshal(facts)
	return string(text), err
}

// tasksOf parses the ids, generations and clusters at the end of a script's answer.
func tasksOf(op provision.Op, words []string) (tasks []Task) {
	for ; len(words) >= 3; words = words[3:] {
		tasks = append(tasks, Task{Op: op, StoreID: words[0], Generation: number(words[1]), Cluster: clusterOf(words[2])})
	}
	return tasks
}

// number parses what a script of ours formatted.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic("queue: a script answered a number that is none: " + text)
	}
	return n
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
