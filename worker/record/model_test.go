package record

import (
	"maps"
	"slices"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// The model says in Go what the contract promises; the property test holds the scripts against it.

// generation is one request that was accepted.
type generation struct {
	queue.Task
	req        provision.Request
	status     provision.Status // its outcome
	over       bool             // a delete that has ended, or that a newer delete has superseded
	superseded bool             // no callback is to be delivered
	cancelled  bool             // no run of it begins any more
	force      string           // what its run does again
	suspends   bool             // the store is suspended
	rotates    bool             // the request asks for other credentials
	grave      string           // how the store is to be deleted later, or "": it is not
	begun      bool             // a run of it was acquired
	progressed bool
}

// modelStore is what is true of one store.
type modelStore struct {
	gens          []*generation
	lease         string   // token of the active run
	claim         string   // token of the delivery
	runHosts      []string // that runs had since READY
	retain        bool     // the last delete retains the data
	suspended     bool
	protected     bool    // no delete is accepted
	rotations     []int64 // the generations that asked for other credentials
	owns          bool    // the namespace
	seq           int64
	failedDelete  int64      // the last delete that failed
	pending       []Callback // to be delivered, in order
	deadLetters   []Callback // refused
	lastRefused   int64      // the sequence of the last dead letter, unless that was replayed or a later callback was delivered
	lastDelivered int64      // the last sequence that the backend confirmed

	dropped map[int64]provision.Status // by generation: an outcome that was refused, and is not delivered any more

	queue     string // the creator in whose queue the new store is, or ""
	queuedAs  int64  // the generation with which it was queued
	started   bool   // a run of it was acquired
	throttled bool   // its newest generation waits for a slot
	onHold    bool   // its newest generation waits on a hold

	forgotten, contested, ready bool // the backend does not know it; another store wants its host; it was READY
}

type model struct {
	stores map[string]*modelStore
	hosts  map[string]string // to the owner
	limit  int               // new stores of one creator in progress; 0: any number
	modelHolds
}

func newModel(ids []string, limit, holdAfter int) *model {
	m := &model{map[string]*modelStore{}, map[string]string{}, limit, newModelHolds(holdAfter)}
	for _, id := range ids {
		m.stores[id] = &modelStore{dropped: map[int64]provision.Status{}}
	}
	return m
}

func (s *modelStore) newest() *generation {
	if len(s.gens) == 0 {
		return &generation{}
	}
	return s.gens[len(s.gens)-1]
}

// isDeleted reports whether nothing of the store lives.
func (s *modelStore) isDeleted() bool {
	return len(s.gens) == 0 || s.newest().status == provision.StatusDeleted
}

func (s *modelStore) engine() string {
	for _, g := range slices.Backward(s.gens) {
		if g.Op == provision.OpProvision {
			return g.req.Engine
		}
	}
	return ""
}

// deleted is the newest generation that ended the store.
func (s *modelStore) deleted() (last int64) {
	for _, g := range s.gens {
		if g.status == provision.StatusDeleted {
			last = g.Generation
		}
	}
	return last
}

// deleting is the delete that a provision has to wait for.
func (s *modelStore) deleting() bool {
	return slices.ContainsFunc(s.gens, func(g *generation) bool { return g.Op == provision.OpDelete && !g.over })
}

func (s *modelStore) isCurrent(g *generation) bool {
	return g == s.newest() || (g.Op == provision.OpDelete && !g.over)
}

// refusal is the field for which a request is refused, or "".
func (m *model) refusal(req provision.Request) string { return m.refusalUnless(m.joins(req), req) }

// refusalUnless is the same for a request that joins the newest, or does not.
func (m *model) refusalUnless(joins bool, req provision.Request) string {
	s := m.stores[req.StoreID]
	owner := m.hosts[req.Host]
	switch {
	case joins:
	case req.Action == provision.OpDelete && s.protected:
		return "store"
	case req.Action == provision.OpDelete:
		if req.RetainData && s.deleting() && !s.retain {
			return "retain_data"
		}
	case (!s.isDeleted() || s.retain) && s.engine() != "" && s.engine() != req.Engine:
		return "engine"
	case owner != "" && owner != req.StoreID:
		return "host"
	}
	return ""
}

func (m *model) joins(req provision.Request) bool {
	n := m.stores[req.StoreID].newest()
	return n.Generation > 0 && n.status == "" && n.req == req && n.grave == ""
}

// up reports whether a store is as a provision wanted it.
func up(status provision.Status) bool {
	return status == provision.StatusReady || status == provision.StatusSuspended
}

// retry is the request that a retry repeats. false means that there is nothing to repeat.
func (s *modelStore) retry() (req provision.Request, some bool) {
	n := s.newest()
	switch {
	case n.status == provision.StatusDeleted:
		return req, false
	case n.Op == provision.OpDelete:
		return provision.Request{StoreID: n.StoreID, Action: provision.OpDelete, RetainData: s.retain}, true
	}
	return n.req, true
}

// cancel gives the newest generation up. It says why not, or returns the stores that may begin now.
func (m *model) cancel(id string) (why string, next []queue.Task) {
	s := m.stores[id]
	n := s.newest()
	switch {
	case n.cancelled:
		return "", nil
	case n.status != "":
		return "ended", nil
	case s.lease != "" && (n.Op == provision.OpDelete || !s.deleting()):
		return "at store", nil
	}
	n.status, n.over, n.cancelled, n.force = n.Op.Failure(), true, true, ""
	if n.rotates && !n.begun {
		s.rotations = s.rotations[:len(s.rotations)-1]
	}
	if n.Op == provision.OpDelete {
		s.failedDelete = n.Generation
	}
	s.addCallback(n, n.status)
	s.throttled, s.onHold = false, false
	return "", m.leaveCreatorQueue(s)
}

func (m *model) accept(req provision.Request, gen int64) *generation {
	s := m.stores[req.StoreID]
	s.throttled, s.onHold, s.forgotten, s.contested = false, false, false, false
	for _, g := range s.gens {
		if g.Op == provision.OpProvision || req.Action == provision.OpDelete {
			g.over, g.superseded = true, g.superseded || g.status == ""
		}
	}
	if req.Action == provision.OpDelete {
		s.retain = req.RetainData
	}
	if s.starts(req) {
		s.suspended = false
	}
	if req.Action == provision.OpProvision {
		if s.isDeleted() {
			s.runHosts, s.suspended, s.protected = nil, false, s.protected && s.retain
			if !s.retain {
				s.rotations = nil
			}
			s.queue, s.queuedAs, s.started = req.CreatorID, gen, false
		}
		maps.DeleteFunc(m.hosts, func(host, owner string) bool { return owner == req.StoreID && !slices.Contains(s.runHosts, host) })
		s.owns = true
		m.hosts[req.Host] = req.StoreID
	}
	g := &generation{suspends: s.suspended, Task: queue.Task{Op: req.Action, StoreID: req.StoreID, Generation: gen, Cluster: provision.DefaultCluster}, req: req}
	s.gens = append(s.gens, g)
	return g
}

func (m *model) acquire(g *generation, token string, progress bool) (AcquireResult, []queue.Task) {
	s := m.stores[g.StoreID]
	switch {
	case g.Op == provision.OpDelete && g.Generation <= s.deleted():
		return AcquireDone, nil
	case !s.isCurrent(g):
		return AcquireSuperseded, nil
	case up(g.status), g.cancelled && g == s.newest():
		return AcquireDone, nil
	case g.Op == provision.OpProvision && s.deleting():
		return AcquireWaiting, nil
	case g.Op == provision.OpProvision && !m.hasSlot(s):
		s.throttled = true
		return AcquireThrottled, nil
	case s.lease != "" && s.lease != token:
		return AcquireHeld, nil
	case g.Op == provision.OpProvision && m.held[s.engine()]:
		s.lease, s.onHold = "", true
		return AcquireOnHold, nil
	}
	s.lease, g.over, s.throttled, g.begun = token, false, false, true
	if progress && !g.progressed && g.status == "" && !s.quiet(g) {
		g.progressed = true
		s.addCallback(g, g.Op.Progress())
	}
	if g.Op == provision.OpDelete {
		return Acquired, m.leaveCreatorQueue(s)
	}
	s.started, s.onHold = true, false
	s.runHosts = append(s.runHosts, g.req.Host)
	return Acquired, nil
}

func (s *modelStore) addCallback(g *generation, status provision.Status) {
	s.seq++
	s.pending = append(s.pending, Callback{StoreID: g.StoreID, Generation: g.Generation, Sequence: s.seq, Status: status})
}

func (m *model) renew(g *generation, token string) RenewResult {
	s := m.stores[g.StoreID]
	switch {
	case s.lease != token:
		return RenewLost
	case !s.isCurrent(g):
		return RenewSuperseded
	}
	return Renewed
}

func (m *model) recordOutcome(g *generation, token string, status provision.Status, code provision.Code) (OutcomeResult, []queue.Task) {
	s := m.stores[g.StoreID]
	// The record keeps the last delete that failed. An older one whose run repeats itself is superseded.
	again := status == provision.StatusDeleteFailed && g.status == status && s.failedDelete == g.Generation
	switch {
	case g.Op == provision.OpDelete && g.Generation <= s.deleted(), again && g.over:
		return OutcomeUnchanged, s.waitingProvision(g)
	case !s.isCurrent(g):
		return OutcomeSuperseded, nil
	case s.lease != token:
		return OutcomeLeaseLost, nil
	case again:
		g.over = true
		return OutcomeUnchanged, s.waitingProvision(g)
	case up(g.status), g.status == status:
		return OutcomeUnchanged, nil
	case status == provision.StatusFailed && m.countFailure(s.engine(), code, g.req):
		s.onHold = true
		return OutcomeOnHold, nil
	}
	next := s.waitingProvision(g)
	g.status, g.over = status, true
	s.ready = status == provision.StatusReady || s.ready && status != provision.StatusDeleted
	if status == provision.StatusDeleteFailed {
		s.failedDelete = g.Generation
	}
	if !s.quiet(g) {
		s.addCallback(g, status)
	}
	if up(status) {
		m.releaseHold(s.engine())
	}
	if status.Succeeded() {
		m.releaseHosts(g, len(next) > 0)
	}
	if status == provision.StatusDeleted {
		s.retain = s.retain && s.owns
		s.owns = s.owns && (s.retain || len(next) > 0)
	}
	if n := s.newest(); status == provision.StatusDeleted && len(next) > 0 {
		s.queue, s.queuedAs, s.started = n.req.CreatorID, n.Generation, false
	}
	if g.Op == provision.OpProvision {
		next = m.leaveCreatorQueue(s)
	}
	return OutcomeRecorded, next
}

// waitingProvision is the provision that waits for a delete.
func (s *modelStore) waitingProvision(g *generation) []queue.Task {
	if n := s.newest(); g.Op == provision.OpDelete && n.Op == provision.OpProvision && n.Generation > g.Generation && n.status == "" {
		return []queue.Task{n.Task}
	}
	return nil
}

// releaseHosts gives back all hosts but the one that is in use.
func (m *model) releaseHosts(g *generation, next bool) {
	s := m.stores[g.StoreID]
	maps.DeleteFunc(m.hosts, func(_, owner string) bool { return owner == g.StoreID })
	s.runHosts = nil
	if n := s.newest(); up(g.status) || next {
		m.hosts[n.req.Host] = g.StoreID
		if up(g.status) {
			s.runHosts = []string{n.req.Host}
		}
	}
}

// nextCallback is the first callback that is not stale; those before it are dropped.
func (s *modelStore) nextCallback() (Callback, bool) {
	for len(s.pending) > 0 && s.stale(s.pending[0]) {
		s.pending = s.pending[1:]
	}
	if len(s.pending) == 0 {
		return Callback{}, false
	}
	return s.pending[0], true
}

func (s *modelStore) stale(c Callback) bool {
	older := c.Generation < s.newest().Generation
	if c.Sequence < s.lastDelivered {
		if c.Status.Final() {
			s.dropped[c.Generation] = c.Status
		}
		return true
	}
	switch c.Status {
	case provision.StatusProvisioning, provision.StatusDeleting:
		return older || c.Sequence < s.seq
	case provision.StatusReady, provision.StatusSuspended, provision.StatusFailed:
		return older
	}
	return false
}

// removePending takes a callback from those to be delivered. false means that it was closed before.
func (s *modelStore) removePending(seq int64) (Callback, bool) {
	i := slices.IndexFunc(s.pending, func(c Callback) bool { return c.Sequence == seq })
	if i < 0 {
		return Callback{}, false
	}
	c := s.pending[i]
	s.pending = slices.Delete(s.pending, i, i+1)
	return c, true
}

// markDelivered closes a callback that the backend took. true means that it is news.
func (s *modelStore) markDelivered(seq int64) bool {
	c, open := s.removePending(seq)
	news := open && seq > s.lastDelivered
	if open && !news && c.Status.Final() { // it was on its way when a later one was confirmed: as good as dropped
		s.dropped[c.Generation] = c.Status
	}
	if open {
		if s.lastRefused < seq {
			s.lastRefused, s.forgotten, s.contested = 0, false, false
		}
		s.lastDelivered = max(s.lastDelivered, seq)
	}
	return news
}

// outstanding reports whether the store lacks an outcome or has pending callbacks.
func (s *modelStore) outstanding() bool {
	undecided := slices.ContainsFunc(s.gens, func(g *generation) bool { return g.status == "" && !g.superseded })
	return undecided || len(s.pending) > 0
}
