package record

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// TestRecordsKeepTheContractInAnyInterleaving lets several workers and deliveries do anything to a few stores in any order, lets
// them die now and then, and compares every result with the model's. In the end, when nothing is outstanding,
// each outcome has to have been delivered.
func TestRecordsKeepTheContractInAnyInterleaving(t *testing.T) {
	each(t, func(b *bench) {
		rapid.Check(t, func(rt *rapid.T) {
			b.flush()
			b.markComplete()
			m := newMachine(rt, b, rapid.IntRange(0, 2).Draw(rt, "limit per creator"), rapid.IntRange(0, 2).Draw(rt, "hold after"))
			rt.Repeat(map[string]func(*rapid.T){
				"":                 m.check,
				"accept":           m.accept,
				"acquire":          m.acquire,
				"renew":            m.renew,
				"record outcome":   m.recordOutcome,
				"cancel":           m.cancel,
				"retry":            m.retry,
				"suspend":          m.suspend,
				"rotate":           m.rotate,
				"delete later":     m.deleteLater,
				"protect":          m.protect,
				"release hold":     m.releaseHolds,
				"maintain":         m.maintain,
				"audit":            m.audit,
				"back up":          m.backUp,
				"release":          m.release,
				"expire leases":    m.expireLeases,
				"claim":            m.claim,
				"deliver":          m.deliver,
				"keep dead letter": m.keepDeadLetter,
				"replay":           m.replayAny,
			})
			m.drain(rt)
			m.checkEnd(rt)
		})
	})
}

var (
	propertyStores = []string{"a", "b", "c"}
	propertyHosts  = []string{"one.example.com", "two.example.com", "three.example.com"}
	workers        = []string{"w1", "w2", "w3"}
	deliveries     = []string{"t1", "t2"}
)

// activeRun is a run that some worker believes to be active.
type activeRun struct {
	gen *generation
	run Run
}

// claimedCallback is a callback that a delivery has posted and not closed.
type claimedCallback struct {
	delivery string
	call     Callback
}

type machine struct {
	*model
	ctx       context.Context
	r         *Records
	b         *bench
	runs      []activeRun
	maintains []activeRun
	claimed   []claimedCallback
	delivered map[string][]Callback // by store, in the order of delivery
}

func newMachine(t *rapid.T, b *bench, limit, holdAfter int) *machine {
	return &machine{model: newModel(propertyStores, limit, holdAfter), ctx: b.ctx, r: New(b.redis, Options{CreatorLimit: limit, HoldAfter: holdAfter}), b: b, delivered: map[string][]Callback{}}
}

func ok(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[V comparable](t *rapid.T, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func wantTasks(t *rapid.T, got, want []queue.Task) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("may begin now: got %v, want %v", got, want)
	}
}

func pick[V any](t *rapid.T, label string, from []V) V {
	if len(from) == 0 {
		t.Skip("nothing to pick")
	}
	return from[rapid.IntRange(0, len(from)-1).Draw(t, label)]
}

func (m *machine) draw(t *rapid.T) provision.Request {
	id := pick(t, "store", propertyStores)
	if rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
		req := deletion(id)
		req.RetainData = rapid.IntRange(0, 3).Draw(t, "retain data") == 0
		return req
	}
	req := onHost(titled(request(id), pick(t, "title", []string{"", "x"})), pick(t, "host", propertyHosts))
	req.CreatorID = pick(t, "creator", []string{"x", "x", "y", ""})
	if rapid.IntRange(0, 9).Draw(t, "other engine") == 0 {
		req.Engine = "medusa"
	}
	return req
}

func (m *machine) accept(t *rapid.T) {
	req := m.draw(t)
	refusal, joins, before := m.refusal(req), m.joins(req), m.stores[req.StoreID].newest().Generation
	accepted, err := m.r.Requests.Accept(m.ctx, req, generationTimeout)
	if refusal != "" {
		if provision.CodeOf(err) != provision.CodeConflict || !strings.HasPrefix(provision.Public(err), refusal+" ") {
			t.Fatalf("%+v: got %v, want a refusal for its %s", req, err, refusal)
		}
		if refusal == "host" {
			m.stores[m.hosts[req.Host]].contested = true
		}
		return
	}
	ok(t, err)
	want(t, "joined", accepted.Joined, joins)
	if joins {
		want(t, "joined generation", accepted.Generation, before)
		return
	}
	if accepted.Generation <= before {
		t.Fatalf("generation %d follows %d", accepted.Generation, before)
	}
	m.model.accept(req, accepted.Generation)
}

func (m *machine) acquire(t *rapid.T) {
	g := pick(t, "generation", m.stores[pick(t, "store", propertyStores)].gens)
	m.acquireFor(t, g, pick(t, "worker", workers), rapid.Bool().Draw(t, "progress"))
}

func (m *machine) acquireFor(t *rapid.T, g *generation, worker string, progress bool) (activeRun, bool) {
	token := worker + "-" + g.ID()
	expected, next := m.model.acquire(g, token, progress)
	result, run, err := m.r.Runs.Acquire(m.ctx, g.Task, token, leaseTTL, progress)
	ok(t, err)
	want(t, "acquiring "+string(g.Op)+" "+g.ID(), result, expected)
	if result != Acquired {
		return activeRun{}, false
	}
	wantTasks(t, run.Next, next)
	want(t, "the run retains the data", run.Store.RetainData, g.req.RetainData)
	if g.Op == provision.OpProvision {
		want(t, "request of the run", run.Store.Request, g.req)
	}
	if g == m.stores[g.StoreID].newest() {
		want(t, "what the run does again", forceText(run.Store.Force), g.force)
		if g.Op == provision.OpProvision {
			want(t, "the rotation that the run is to have done", run.Store.Rotation, m.stores[g.StoreID].rotation())
		}
		if (run.Store.Grave != nil) != (g.grave != "") || g.grave != "" && (run.Store.Grave.Quiet != (g.grave != graveTold) || run.Store.Grave.Suspended != (g.grave == graveQuietSuspended)) {
			t.Fatalf("the store is to be deleted: %+v, want %q", run.Store.Grave, g.grave)
		}
		want(t, "the run suspends", g.Op == provision.OpProvision && run.Store.Suspended, g.Op == provision.OpProvision && g.suspends)
	}
	m.runs = append(m.runs, activeRun{g, run})
	return m.runs[len(m.runs)-1], true
}

func (m *machine) renew(t *rapid.T) {
	p := pick(t, "run", m.runs)
	got, err := m.r.Runs.Renew(m.ctx, p.run, leaseTTL)
	ok(t, err)
	want(t, "renewal", got, m.model.renew(p.gen, p.run.Token))
}

func (m *machine) recordOutcome(t *rapid.T) {
	m.recordOutcomeOf(t, pick(t, "run", m.runs), rapid.IntRange(0, 2).Draw(t, "failure") > 0, pick(t, "code", []provision.Code{provision.CodeTimeout, provision.CodeImage}))
}

func (m *machine) recordOutcomeOf(t *rapid.T, p activeRun, good bool, code provision.Code) {
	status := p.gen.Op.Failure()
	if good {
		status, code = p.run.Store.Success(p.gen.Op), ""
	}
	expected, expectedNext := m.model.recordOutcome(p.gen, p.run.Token, status, code)
	result, next, err := m.r.Runs.RecordOutcome(m.ctx, p.run, status, code, "")
	ok(t, err)
	want(t, string(status)+" of "+p.gen.ID(), result, expected)
	wantTasks(t, next, expectedNext)
}

func (m *machine) release(t *rapid.T) {
	m.releaseRun(t, pick(t, "run", m.runs), RunEnd{Counted: rapid.Bool().Draw(t, "counted"), Ended: rapid.Bool().Draw(t, "ended")})
}

func (m *machine) releaseRun(t *rapid.T, p activeRun, end RunEnd) {
	_, err := m.r.Runs.Release(m.ctx, p.run, end)
	ok(t, err)
	if s := m.stores[p.gen.StoreID]; s.lease == p.run.Token {
		s.lease = ""
	}
}

func (m *machine) claim(t *rapid.T) {
	m.claimFor(t, pick(t, "store", propertyStores), pick(t, "delivery", deliveries))
}

// claimFor claims the callbacks of a store and posts the next one.
func (m *machine) claimFor(t *rapid.T, id, delivery string) ClaimResult {
	s := m.stores[id]
	claim, call, err := m.r.Callbacks.Claim(m.ctx, id, delivery, leaseTTL)
	ok(t, err)
	if s.claim != "" && s.claim != delivery {
		want(t, "claim", claim, ClaimHeld)
		return claim
	}
	s.claim = delivery
	next, some := s.nextCallback()
	if !some {
		want(t, "claim", claim, ClaimEmpty)
		return claim
	}
	want(t, "claim", claim, Claimed)
	want(t, "callback", call.ID()+" "+string(call.Status), next.ID()+" "+string(next.Status))
	if delivered := m.delivered[id]; len(delivered) > 0 && delivered[len(delivered)-1].Sequence > call.Sequence {
		t.Fatalf("sequence %d is delivered after %d", call.Sequence, delivered[len(delivered)-1].Sequence)
	}
	m.claimed = append(m.claimed, claimedCallback{delivery, call})
	return claim
}

func (m *machine) deliver(t *rapid.T) {
	h := pick(t, "callback", m.claimed)
	m.markDelivered(t, h.call)
	m.releaseClaim(t, h)
}

// markDelivered records that the backend took a callback.
func (m *machine) markDelivered(t *rapid.T, c Callback) {
	ok(t, m.r.Callbacks.MarkDelivered(m.ctx, c))
	if m.stores[c.StoreID].markDelivered(c.Sequence) {
		m.delivered[c.StoreID] = append(m.delivered[c.StoreID], c)
	}
}

func (m *machine) releaseClaim(t *rapid.T, h claimedCallback) {
	if rapid.Bool().Draw(t, "release claim") {
		ok(t, m.r.Callbacks.ReleaseClaim(m.ctx, h.call.StoreID, h.delivery))
		if s := m.stores[h.call.StoreID]; s.claim == h.delivery {
			s.claim = ""
		}
	}
}

// check holds what is stored against the model after every step.
func (m *machine) check(t *rapid.T) {
	if diff := cmp.Diff(m.hosts, m.b.redis.HGetAll(m.ctx, keyHosts).Val()); diff != "" {
		t.Fatal("owners of hosts: ", diff)
	}
	m.checkCreatorQueues(t)
	m.checkDeadLetters(t)
	m.checkOrphans(t)
	m.checkQuotas(t)
	namespaces := map[string]string{}
	for id, s := range m.stores {
		if s.owns {
			namespaces["store-"+id] = id
		}
		if s.outstanding() && !m.b.outstanding(id) {
			t.Fatalf("store %s waits for something, and is not outstanding", id)
		}
		if n := m.b.redis.Exists(m.ctx, keyRunLease(id)).Val(); (n == 1) != (s.lease != "") {
			t.Fatalf("%d leases of store %s, whose run is %q", n, id, s.lease)
		}
	}
	if diff := cmp.Diff(namespaces, m.b.redis.HGetAll(m.ctx, keyNamespaces).Val()); diff != "" {
		t.Fatal("owners of namespaces: ", diff)
	}
}

// checkCreatorQueues compares which stores are queued, and which have started.
func (m *machine) checkCreatorQueues(t *rapid.T) {
	for _, creator := range []string{"x", "y"} {
		begun, stored := map[string]bool{}, map[string]bool{}
		for _, id := range m.creatorQueue(creator) {
			begun[id] = m.stores[id].started
		}
		for _, z := range m.b.redis.ZRangeWithScores(m.ctx, prefix+"creator-queue:"+creator, 0, -1).Val() {
			stored[z.Member.(string)] = z.Score < 0
		}
		if diff := cmp.Diff(begun, stored); diff != "" {
			t.Fatalf("creator queue of %s: %s", creator, diff)
		}
	}
}

// drain does what the sweeper and living workers do after all others have died.
func (m *machine) drain(t *rapid.T) {
	for _, id := range propertyStores {
		ok(t, m.b.redis.Del(m.ctx, keyRunLease(id), keyCallbackLease(id)).Err())
		m.stores[id].lease, m.stores[id].claim = "", ""
		for len(m.stores[id].deadLetters) > 0 {
			m.replay(t, m.stores[id], pick(t, "dead letter", m.stores[id].deadLetters))
		}
	}
	// In rounds: a store may wait for a slot that another one has.
	for round := 0; slices.ContainsFunc(propertyStores, m.b.outstanding); round++ {
		if round > 30 {
			t.Fatalf("%d stores wait for ever", m.b.redis.ZCard(m.ctx, keyOutstanding).Val())
		}
		m.releaseHolds(t)
		for _, id := range propertyStores {
			if m.b.outstanding(id) {
				m.settle(t, id, round)
			}
		}
	}
}

func (m *machine) settle(t *rapid.T, id string, round int) {
	open, err := m.r.Recovery.Inspect(m.ctx, id)
	ok(t, err)
	s := m.stores[id]
	want(t, "may go on now", open.TryNow, s.throttled && m.hasSlot(s) || s.onHold && !m.held[s.engine()])
	for _, task := range open.Runs {
		for _, g := range m.stores[id].gens {
			if g.Task != task {
				continue
			}
			if p, in := m.acquireFor(t, g, "sweep"+strconv.Itoa(round), false); in {
				m.recordOutcomeOf(t, p, rapid.Bool().Draw(t, "good"), provision.CodeTimeout)
				m.releaseRun(t, p, RunEnd{Ended: true})
			}
		}
	}
	for m.claimFor(t, id, "sweeper") == Claimed {
		h := m.claimed[len(m.claimed)-1]
		m.markDelivered(t, h.call)
	}
}

// checkEnd says what must be true when nothing waits any more.
func (m *machine) checkEnd(t *rapid.T) {
	for id, s := range m.stores {
		delivered, successes := map[int64]provision.Status{}, map[int64]int64{}
		for _, c := range m.delivered[id] {
			if c.Status.Final() {
				delivered[c.Generation] = c.Status
			}
			if first, again := successes[c.Generation]; c.Status.Succeeded() && again && first != c.Sequence {
				t.Fatalf("generation %d succeeds twice: %+v", c.Generation, m.delivered[id])
			} else if c.Status.Succeeded() {
				successes[c.Generation] = c.Sequence
			}
		}
		for _, g := range s.gens {
			deletion := g.Op == provision.OpDelete && !g.superseded
			if s.quiet(g) && !g.cancelled {
				want(t, "what is told of a quiet generation", delivered[g.Generation], "")
			} else if (deletion || g == s.newest()) && delivered[g.Generation] != g.status && s.dropped[g.Generation] != g.status {
				t.Fatalf("%s of generation %d of store %s is %q, and was delivered %q", g.Op, g.Generation, id, g.status, delivered[g.Generation])
			}
			if g.status == "" && !g.superseded {
				t.Fatalf("generation %d of store %s has no end", g.Generation, id)
			}
		}
	}
	m.checkFind(t)
	if n := m.b.redis.ZCard(m.ctx, keyOutstanding).Val(); n != 0 {
		t.Fatalf("%d stores are open in the end", n)
	}
	m.check(t)
}
