package rig

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"orchestrator/provision"
)

// StepID names a step of a provision or of a delete.
type StepID struct {
	Op   provision.Op
	Step string
}

func (p StepID) String() string { return string(p.Op) + "/" + p.Step }

// first reports whether an operation begins with this step.
func (p StepID) first() bool {
	return p == StepID{provision.OpProvision, provision.StepNamespace} || p == StepID{provision.OpDelete, provision.StepRelease}
}

// Steps are all steps, in order.
var Steps = []StepID{
	{provision.OpProvision, provision.StepNamespace}, {provision.OpProvision, provision.StepCredentials},
	{provision.OpProvision, provision.StepRelease}, {provision.OpProvision, provision.StepReady},
	{provision.OpProvision, provision.StepVerify}, {provision.OpDelete, provision.StepRelease},
	{provision.OpDelete, provision.StepVolumes}, {provision.OpDelete, provision.StepNamespace},
}

// Run is a run of a store that is in a step now.
type Run struct {
	Worker, Store string
	Generation    int64
	Step          StepID
	Since         time.Time // when the step began
	Begun         time.Time // when the run began, with the first step of its operation
}

// runID tells the runs of different workers and generations of a store apart.
type runID struct {
	worker, store string
	generation    int64
}

func (r Run) id() runID { return runID{r.Worker, r.Store, r.Generation} }

// overlapGrace is for how long after a process was paused two runs of one store may appear to overlap: a worker that was
// paused beyond its lease still records that it begins its next step, and is refused only when it writes. It is more than
// the lease and the longest pause together.
const overlapGrace = 90 * time.Second

// Watch observes all workers: the steps that they write into the journal, and their requests that change the cluster. It
// finds two runs of one store at a time, and a write of a run after another one has begun.
type Watch struct {
	mu           sync.Mutex
	running      map[string][]Run // by store; the outer step of a run comes first
	last         map[string]Run   // by store: the run that was the last to begin, in its newest step
	starts       map[runID]time.Time
	disturbed    map[string]time.Time
	disconnected map[string]time.Time // when a worker last failed to reach Redis: what it wrote then was not observed
	away         time.Time            // when Redis was last away: what any worker wrote then may not have been observed
	gone         map[string]bool
	aims         map[*Aim]bool
	took         map[StepID]time.Duration // a running average
	found        []string
	written      map[string]string // by namespace: the first write that was observed
	writes       int
}

// NewWatch returns a watch that has observed nothing yet.
func NewWatch() *Watch {
	return &Watch{running: map[string][]Run{}, last: map[string]Run{}, starts: map[runID]time.Time{}, disturbed: map[string]time.Time{}, disconnected: map[string]time.Time{},
		gone: map[string]bool{}, aims: map[*Aim]bool{}, took: map[StepID]time.Duration{}, written: map[string]string{}}
}

// Aim is a point in a run at which something is to happen.
type Aim struct {
	At    func(StepID) bool
	Write bool      // when the run writes in that step, instead of when the step begins
	Fire  func(Run) // called once; the run is held until it returns
}

// Await waits for an aim. The function that it returns cancels the aim and reports whether it was not reached before.
func (w *Watch) Await(aim *Aim) (cancel func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aims[aim] = true
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		waiting := w.aims[aim]
		delete(w.aims, aim)
		return waiting
	}
}

// Command observes a worker's command to Redis. Only entries of a journal matter.
func (w *Watch) Command(worker string, words []string) {
	if len(words) < 2 || !strings.EqualFold(words[0], "xadd") {
		return
	}
	store, ok := strings.CutPrefix(words[1], "{orch}:journal:")
	var step provision.Step
	if !ok || json.Unmarshal([]byte(words[len(words)-1]), &step) != nil {
		return
	}
	now := time.Now()
	run := Run{Worker: worker, Store: store, Generation: step.Generation, Step: StepID{step.Op, step.Name}, Since: now, Begun: now}
	if step.State == provision.StepStarted {
		w.began(run)
	} else {
		w.ended(run)
	}
}

func (w *Watch) began(r Run) {
	w.mu.Lock()
	if w.gone[r.Worker] { // the entry was on its way when the worker ended
		w.mu.Unlock()
		return
	}
	r.Begun = w.begun(r)
	for _, other := range w.running[r.Store] {
		same := other.Worker == r.Worker && other.Generation == r.Generation
		if !same && !w.mayOverlap(other) && !w.mayOverlap(r) {
			w.found = append(w.found, fmt.Sprintf("%s began %s of %s (generation %d) while %s was in %s of generation %d since %s",
				r.Worker, r.Step, r.Store, r.Generation, other.Worker, other.Step, other.Generation, other.Since.Format(time.TimeOnly)))
		}
	}
	w.running[r.Store] = append(w.running[r.Store], r)
	if !w.belated(r) && !r.Begun.Before(w.last[r.Store].Begun) {
		w.last[r.Store] = r
	}
	w.starts[r.id()] = r.Begun
	fire := w.reached(r, false)
	w.mu.Unlock()
	if fire != nil {
		fire(r)
	}
}

// begun returns when the run began. The next step of a run that is on its way does not begin it again: a worker that was
// paused beyond its lease enters its next step in the journal before it finds out, and has not taken over by that.
func (w *Watch) begun(r Run) time.Time {
	if start, ok := w.starts[r.id()]; ok && !r.Step.first() {
		return start
	}
	return r.Begun
}

// belated reports whether a run that seems to begin may have lost its lease long ago: its worker was paused between taking the
// lease and the first entry. It has not taken over by that entry.
func (w *Watch) belated(r Run) bool {
	disturbed, ok := w.disturbed[r.Worker]
	return ok && r.Begun.After(disturbed) && time.Since(disturbed) < overlapGrace
}

func (w *Watch) ended(r Run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	runs := w.running[r.Store]
	for i := len(runs) - 1; i >= 0; i-- {
		if o := runs[i]; o.Worker == r.Worker && o.Generation == r.Generation && o.Step == r.Step {
			w.took[r.Step] = (w.took[r.Step] + time.Since(o.Since)) / 2
			w.running[r.Store] = append(runs[:i:i], runs[i+1:]...)
			return
		}
	}
}

// Wrote observes a worker's request that changes something in a store's namespace.
func (w *Watch) Wrote(worker string, write Write) {
	store, _ := strings.CutPrefix(write.Namespace, "store-")
	w.mu.Lock()
	if w.written[write.Namespace] == "" {
		w.written[write.Namespace] = worker + " sent " + write.What
	}
	if write.Noted {
		w.mu.Unlock()
		return
	}
	w.writes++
	var fire func(Run)
	var mine Run
	for _, r := range w.running[store] {
		if r.Worker == worker {
			mine = r
		}
	}
	if mine.Worker != "" {
		w.checkSuperseded(mine, write.What)
		fire = w.reached(mine, true)
	}
	w.mu.Unlock()
	if fire != nil {
		fire(mine)
	}
}

// checkSuperseded records a violation if a run of another worker has begun since the run that writes now.
func (w *Watch) checkSuperseded(mine Run, what string) {
	if other := w.last[mine.Store]; other.Worker != mine.Worker && other.Begun.After(mine.Begun) && !w.unseen(mine.Worker, mine.Begun) {
		w.found = append(w.found, fmt.Sprintf("%s in %s of generation %d since %s sent %s after %s had begun %s of generation %d", mine.Worker,
			mine.Step, mine.Generation, mine.Since.Format(time.TimeOnly), what, other.Worker, other.Step, other.Generation))
	}
}

// reached removes an aim that the run has reached, and returns what to do.
func (w *Watch) reached(r Run, write bool) func(Run) {
	for aim := range w.aims {
		if aim.At(r.Step) && aim.Write == write {
			delete(w.aims, aim)
			return aim.Fire
		}
	}
	return nil
}

// mayOverlap reports whether a run may appear to go on although another one has begun.
func (w *Watch) mayOverlap(r Run) bool {
	return time.Since(w.disturbed[r.Worker]) < overlapGrace || time.Since(w.disturbed["redis"]) < overlapGrace || w.blind(r)
}

// blind reports whether the end of a run's step may not have been observed.
func (w *Watch) blind(r Run) bool { return w.unseen(r.Worker, r.Since) }

// unseen reports whether something that a worker wrote into the journal after a time may not have been observed.
func (w *Watch) unseen(worker string, since time.Time) bool {
	return w.disconnected[worker].After(since) || w.away.After(since)
}

// RedisAway records that Redis does not answer, or did not until now.
func (w *Watch) RedisAway() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = time.Now()
}

// Disconnected records that a worker cannot reach Redis: the end of a step may not be observed.
func (w *Watch) Disconnected(worker string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disconnected[worker] = time.Now()
}

// Disturbed records that a process was paused or away for so long that a lease may have expired.
func (w *Watch) Disturbed(process string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disturbed[process] = time.Now()
}

// Gone records that a worker has ended, and its runs with it.
func (w *Watch) Gone(worker string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone[worker] = true
	for store, runs := range w.running {
		var left []Run
		for _, r := range runs {
			if r.Worker != worker {
				left = append(left, r)
			}
		}
		w.running[store] = left
	}
}

// Running returns the runs that are in a step now, of one worker or, with "", of all.
func (w *Watch) Running(worker string) []Run {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Run
	for _, runs := range w.running {
		for _, r := range runs {
			if worker == "" || r.Worker == worker {
				all = append(all, r)
			}
		}
	}
	return all
}

// Took is how long a step took lately.
func (w *Watch) Took(p StepID) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.took[p]
}

// Written returns the namespaces in which something was changed, with the first change.
func (w *Watch) Written() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.written)
}

// Found returns all violations, and how many writes were observed.
func (w *Watch) Found() (violations []string, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.found...), w.writes
}
