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
	status     provision.Status // its verdict
	over       bool             // a delete that has ended, or a newer delete took its place
	superseded bool             // nobody is to be told
	progressed bool
}

// shop is what is true of one store.
type shop struct {
	gens   []*generation
	gate   string // token of the run inside
	turn   string // token of the teller
	kept   []string
	retain bool // the last delete retains the data
	owns   bool // the namespace
	seq    int64
	undone int64      // the last delete that failed
	left   []Callback // to be told, in order
	dead   []Callback // refused
	told   int64      // the last sequence that the backend confirmed

	overtaken map[int64]provision.Status // by generation: a verdict that was refused, and is not told any more

	line   string // the creator in whose line the new store stands, or ""
	since  int64  // the generation with which it came into the line
	begun  bool   // a run of it was let in
	parked bool   // its newest generation was told to wait for a place
}

type model struct {
	shops map[string]*shop
	hosts map[string]string // to the owner
	limit int               // new stores of one creator under way; 0: any number
}

func newModel(ids []string, limit int) *model {
	m := &model{map[string]*shop{}, map[string]string{}, limit}
	for _, id := range ids {
		m.shops[id] = &shop{overtaken: map[int64]provision.Status{}}
	}
	return m
}

func (s *shop) newest() *generation {
	if len(s.gens) == 0 {
		return &generation{}
	}
	return s.gens[len(s.gens)-1]
}

// gone reports whether nothing of the store lives.
func (s *shop) gone() bool { return len(s.gens) == 0 || s.newest().status == provision.StatusDeleted }

func (s *shop) engine() string {
	for _, g := range slices.Backward(s.gens) {
		if g.Op == provision.OpProvision {
			return g.req.Engine
		}
	}
	return ""
}

// deleted is the newest generation that ended the store.
func (s *shop) deleted() (last int64) {
	for _, g := range s.gens {
		if g.status == provision.StatusDeleted {
			last = g.Generation
		}
	}
	return last
}

// deleting is the delete that a provision has to wait for.
func (s *shop) deleting() bool {
	return slices.ContainsFunc(s.gens, func(g *generation) bool { return g.Op == provision.OpDelete && !g.over })
}

func (s *shop) wanted(g *generation) bool {
	return g == s.newest() || (g.Op == provision.OpDelete && !g.over)
}

// refusal is the field for which a request is refused, or "".
func (m *model) refusal(req provision.Request) string {
	s := m.shops[req.StoreID]
	owner := m.hosts[req.Host]
	switch {
	case m.joins(req):
	case req.Action == provision.OpDelete:
		if req.RetainData && s.deleting() && !s.retain {
			return "retain_data"
		}
	case (!s.gone() || s.retain) && s.engine() != "" && s.engine() != req.Engine:
		return "engine"
	case owner != "" && owner != req.StoreID:
		return "host"
	}
	return ""
}

func (m *model) joins(req provision.Request) bool {
	n := m.shops[req.StoreID].newest()
	return n.Generation > 0 && n.status == "" && n.req == req
}

func (m *model) accept(req provision.Request, gen int64) *generation {
	s := m.shops[req.StoreID]
	s.parked = false
	for _, g := range s.gens {
		if g.Op == provision.OpProvision || req.Action == provision.OpDelete {
			g.over, g.superseded = true, g.superseded || g.status == ""
		}
	}
	if req.Action == provision.OpDelete {
		s.retain = req.RetainData
	}
	if req.Action == provision.OpProvision {
		if s.gone() {
			s.kept = nil
			s.line, s.since, s.begun = req.CreatorID, gen, false
		}
		s.kept, s.owns = append(s.kept, req.Host), true
		m.hosts[req.Host] = req.StoreID
	}
	g := &generation{Task: queue.Task{Op: req.Action, StoreID: req.StoreID, Generation: gen, Cluster: provision.DefaultCluster}, req: req}
	s.gens = append(s.gens, g)
	return g
}

func (m *model) enter(g *generation, token string, progress bool) (AcquireResult, []queue.Task) {
	s := m.shops[g.StoreID]
	switch {
	case g.Op == provision.OpDelete && g.Generation <= s.deleted():
		return AcquireDone, nil
	case !s.wanted(g):
		return AcquireSuperseded, nil
	case g.status == provision.StatusReady:
		return AcquireDone, nil
	case g.Op == provision.OpProvision && s.deleting():
		return AcquireWaiting, nil
	case g.Op == provision.OpProvision && !m.hasPlace(s):
		s.parked = true
		return AcquireThrottled, nil
	case s.gate != "" && s.gate != token:
		return AcquireHeld, nil
	}
	s.gate, g.over, s.parked = token, false, false
	if progress && !g.progressed && g.status == "" {
		g.progressed = true
		s.call(g, g.Op.Progress())
	}
	if g.Op == provision.OpDelete {
		return Acquired, m.leaveLine(s)
	}
	s.begun = true
	return Acquired, nil
}

func (s *shop) call(g *generation, status provision.Status) {
	s.seq++
	s.left = append(s.left, Callback{StoreID: g.StoreID, Generation: g.Generation, Sequence: s.seq, Status: status})
}

func (m *model) renew(g *generation, token string) RenewResult {
	s := m.shops[g.StoreID]
	switch {
	case s.gate != token:
		return RenewLost
	case !s.wanted(g):
		return RenewSuperseded
	}
	return Renewed
}

func (m *model) verdict(g *generation, token string, status provision.Status) (OutcomeResult, []queue.Task) {
	s := m.shops[g.StoreID]
	// The record remembers the last delete that failed. An older one whose run repeats itself hears that it was superseded.
	again := status == provision.StatusDeleteFailed && g.status == status && s.undone == g.Generation
	switch {
	case g.Op == provision.OpDelete && g.Generation <= s.deleted(), again && g.over:
		return OutcomeUnchanged, s.behind(g)
	case !s.wanted(g):
		return OutcomeSuperseded, nil
	case s.gate != token:
		return OutcomeLeaseLost, nil
	case again:
		g.over = true
		return OutcomeUnchanged, s.behind(g)
	case g.status == provision.StatusReady, g.status == status:
		return OutcomeUnchanged, nil
	}
	next := s.behind(g)
	g.status, g.over = status, true
	if status == provision.StatusDeleteFailed {
		s.undone = g.Generation
	}
	s.call(g, status)
	if status.Succeeded() {
		m.release(g, len(next) > 0)
	}
	if status == provision.StatusDeleted {
		s.retain = s.retain && s.owns
		s.owns = s.owns && (s.retain || len(next) > 0)
	}
	if n := s.newest(); status == provision.StatusDeleted && len(next) > 0 {
		s.line, s.since, s.begun = n.req.CreatorID, n.Generation, false
	}
	if g.Op == provision.OpProvision {
		next = m.leaveLine(s)
	}
	return OutcomeRecorded, next
}

// behind is the provision that waits for a delete.
func (s *shop) behind(g *generation) []queue.Task {
	if n := s.newest(); g.Op == provision.OpDelete && n.Op == provision.OpProvision && n.Generation > g.Generation && n.status == "" {
		return []queue.Task{n.Task}
	}
	return nil
}

// release gives back all hosts but the one that is in use.
func (m *model) release(g *generation, next bool) {
	s := m.shops[g.StoreID]
	maps.DeleteFunc(m.hosts, func(_, owner string) bool { return owner == g.StoreID })
	s.kept = nil
	if n := s.newest(); g.status == provision.StatusReady || next {
		s.kept = []string{n.req.Host}
		m.hosts[n.req.Host] = g.StoreID
	}
}

// next is the first callback that somebody wants to hear; those before it are dropped.
func (s *shop) next() (Callback, bool) {
	for len(s.left) > 0 && s.stale(s.left[0]) {
		s.left = s.left[1:]
	}
	if len(s.left) == 0 {
		return Callback{}, false
	}
	return s.left[0], true
}

func (s *shop) stale(c Callback) bool {
	older := c.Generation < s.newest().Generation
	if c.Sequence < s.told {
		s.overtaken[c.Generation] = c.Status
		return true
	}
	switch c.Status {
	case provision.StatusProvisioning, provision.StatusDeleting:
		return older || c.Sequence < s.seq
	case provision.StatusReady, provision.StatusFailed:
		return older
	}
	return false
}

// close takes a callback from those to be told. false means that it was closed before.
func (s *shop) close(seq int64) (Callback, bool) {
	i := slices.IndexFunc(s.left, func(c Callback) bool { return c.Sequence == seq })
	if i < 0 {
		return Callback{}, false
	}
	c := s.left[i]
	s.left = slices.Delete(s.left, i, i+1)
	return c, true
}

// confirm closes a callback that the backend took. true means that it is news.
func (s *shop) confirm(seq int64) bool {
	_, open := s.close(seq)
	news := open && seq > s.told
	if open {
		s.told = max(s.told, seq)
	}
	return news
}

// waits reports whether something has to be decided or told.
func (s *shop) waits() bool {
	undecided := slices.ContainsFunc(s.gens, func(g *generation) bool { return g.status == "" && !g.superseded })
	return undecided || len(s.left) > 0
}
