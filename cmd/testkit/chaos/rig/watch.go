package rig

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"orchestrator/provision"
)

// Place is a step of one of the two lists.
type Place struct {
	Op   provision.Op
	Step string
}

func (p Place) String() string { return string(p.Op) + "/" + p.Step }

// Places are all of them, in order.
var Places = []Place{
	{provision.OpProvision, provision.StepNamespace}, {provision.OpProvision, provision.StepCredentials},
	{provision.OpProvision, provision.StepRelease}, {provision.OpProvision, provision.StepReady},
	{provision.OpProvision, provision.StepVerify}, {provision.OpDelete, provision.StepRelease},
	{provision.OpDelete, provision.StepVolumes}, {provision.OpDelete, provision.StepNamespace},
}

// Run is a run of a store that is in a step now.
type Run struct {
	Worker, Store string
	Generation    int64
	Place         Place
	Since         time.Time // when the step began
}

// excuse is for how long after a process was disturbed two runs of one store may seem to overlap: a worker that slept
// past its lease still says that it begins its next step, and is refused when it wants to write. It is the lease, the
// longest sleep, and some.
const excuse = 90 * time.Second

// Watch sees what all workers do, from the steps that they write into the journal and from their requests that change
// the cluster. It finds two runs of one store at once, and a write of a run that another one has followed.
type Watch struct {
	mu        sync.Mutex
	inside    map[string][]Run // by store; of one run the outer step comes first
	last      map[string]Run   // by store: the run that began a step last
	disturbed map[string]time.Time
	deaf      map[string]time.Time // when a worker could not reach Redis: what it wrote then was not seen
	away      time.Time            // when Redis was away: whatever any worker wrote then may not have been seen
	gone      map[string]bool
	aims      map[*Aim]bool
	took      map[Place]time.Duration // what a step takes, of late
	found     []string
	writes    int
}

// NewWatch returns a watch that has seen nothing.
func NewWatch() *Watch {
	return &Watch{inside: map[string][]Run{}, last: map[string]Run{}, disturbed: map[string]time.Time{}, deaf: map[string]time.Time{},
		gone: map[string]bool{}, aims: map[*Aim]bool{}, took: map[Place]time.Duration{}}
}

// Aim waits for a run to be somewhere.
type Aim struct {
	At    func(Place) bool
	Write bool      // when it writes in that step, not at the step's beginning
	Fire  func(Run) // called once; the run stands still until it returns
}

// Await sets an aim. The function that it returns gives it up, and reports whether it had not been met.
func (w *Watch) Await(aim *Aim) (giveUp func() bool) {
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

// Command looks at a worker's command to Redis for an entry of a journal.
func (w *Watch) Command(worker string, words []string) {
	if len(words) < 2 || !strings.EqualFold(words[0], "xadd") {
		return
	}
	store, ok := strings.CutPrefix(words[1], "{orch}:journal:")
	var step provision.Step
	if !ok || json.Unmarshal([]byte(words[len(words)-1]), &step) != nil {
		return
	}
	run := Run{Worker: worker, Store: store, Generation: step.Generation, Place: Place{step.Op, step.Name}, Since: time.Now()}
	if step.State == provision.StepStarted {
		w.began(run)
	} else {
		w.ended(run)
	}
}

func (w *Watch) began(r Run) {
	w.mu.Lock()
	if w.gone[r.Worker] { // it was on its way when the worker ended
		w.mu.Unlock()
		return
	}
	for _, other := range w.inside[r.Store] {
		same := other.Worker == r.Worker && other.Generation == r.Generation
		if !same && !w.excused(other) && !w.excused(r) {
			w.found = append(w.found, fmt.Sprintf("%s began %s of %s (generation %d) while %s was in %s of generation %d since %s",
				r.Worker, r.Place, r.Store, r.Generation, other.Worker, other.Place, other.Generation, other.Since.Format(time.TimeOnly)))
		}
	}
	w.inside[r.Store] = append(w.inside[r.Store], r)
	w.last[r.Store] = r
	fire := w.met(r, false)
	w.mu.Unlock()
	if fire != nil {
		fire(r)
	}
}

func (w *Watch) ended(r Run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	runs := w.inside[r.Store]
	for i := len(runs) - 1; i >= 0; i-- {
		if o := runs[i]; o.Worker == r.Worker && o.Generation == r.Generation && o.Place == r.Place {
			w.took[r.Place] = (w.took[r.Place] + time.Since(o.Since)) / 2
			w.inside[r.Store] = append(runs[:i:i], runs[i+1:]...)
			return
		}
	}
}

// Wrote looks at a worker's request that changes something in a store's namespace.
func (w *Watch) Wrote(worker, namespace, what string) {
	store, _ := strings.CutPrefix(namespace, "store-")
	w.mu.Lock()
	w.writes++
	var fire func(Run)
	var mine Run
	for _, r := range w.inside[store] {
		if r.Worker == worker {
			mine = r
		}
	}
	if mine.Worker != "" {
		w.followed(mine, what)
		fire = w.met(mine, true)
	}
	w.mu.Unlock()
	if fire != nil {
		fire(mine)
	}
}

// followed finds a run of another worker that began after the run that writes now.
func (w *Watch) followed(mine Run, what string) {
	if other := w.last[mine.Store]; other.Worker != mine.Worker && other.Since.After(mine.Since) && !w.blind(mine) {
		w.found = append(w.found, fmt.Sprintf("%s in %s since %s sent %s after %s had begun %s of generation %d", mine.Worker, mine.Place,
			mine.Since.Format(time.TimeOnly), what, other.Worker, other.Place, other.Generation))
	}
}

// met takes an aim that the run meets.
func (w *Watch) met(r Run, write bool) func(Run) {
	for aim := range w.aims {
		if aim.At(r.Place) && aim.Write == write {
			delete(w.aims, aim)
			return aim.Fire
		}
	}
	return nil
}

// excused reports whether a run may seem to go on beside another one.
func (w *Watch) excused(r Run) bool {
	return time.Since(w.disturbed[r.Worker]) < excuse || time.Since(w.disturbed["redis"]) < excuse || w.blind(r)
}

// blind reports whether the end of a run's step may have gone unseen.
func (w *Watch) blind(r Run) bool {
	return w.deaf[r.Worker].After(r.Since) || w.away.After(r.Since)
}

// RedisAway notes that Redis does not answer, or did not until now.
func (w *Watch) RedisAway() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = time.Now()
}

// Deaf notes that a worker cannot reach Redis: the end of a step may go unseen.
func (w *Watch) Deaf(worker string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf[worker] = time.Now()
}

// Disturbed notes that a process slept or was away for so long that a lease may have run out.
func (w *Watch) Disturbed(process string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disturbed[process] = time.Now()
}

// Gone notes that a worker has ended, and its runs with it.
func (w *Watch) Gone(worker string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone[worker] = true
	for store, runs := range w.inside {
		var left []Run
		for _, r := range runs {
			if r.Worker != worker {
				left = append(left, r)
			}
		}
		w.inside[store] = left
	}
}

// Inside returns the runs that are in a step now: of one worker, or of all with "".
func (w *Watch) Inside(worker string) []Run {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Run
	for _, runs := range w.inside {
		for _, r := range runs {
			if worker == "" || r.Worker == worker {
				all = append(all, r)
			}
		}
	}
	return all
}

// Took is how long a step takes, of late.
func (w *Watch) Took(p Place) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.took[p]
}

// Found returns every violation that was seen, and how many writes were looked at.
func (w *Watch) Found() (violations []string, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.found...), w.writes
}
