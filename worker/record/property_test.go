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

// TestAnyInterleavingKeepsTheContract lets several workers and tellers do anything to a few stores in any order, dies
// now and then in their place, and compares every answer with the model's. In the end, when all that waits was done,
// each truth has to have been told.
func TestAnyInterleavingKeepsTheContract(t *testing.T) {
	each(t, func(b *bench) {
		rapid.Check(t, func(rt *rapid.T) {
			b.flush()
			b.whole()
			m := newMachine(rt, b, rapid.IntRange(0, 2).Draw(rt, "limit per creator"))
			rt.Repeat(map[string]func(*rapid.T){
				"":        m.check,
				"accept":  m.accept,
				"enter":   m.enter,
				"renew":   m.renew,
				"verdict": m.verdict,
				"leave":   m.leave,
				"die":     m.die,
				"turn":    m.turnCall,
				"told":    m.tellOne,
				"bury":    m.buryOne,
				"replay":  m.replayOne,
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
	tellers        = []string{"t1", "t2"}
)

// begun is a run that some worker believes in.
type begun struct {
	gen *generation
	run Run
}

// inHand is a callback that a teller has posted and not closed.
type inHand struct {
	teller string
	call   Callback
}

type machine struct {
	*model
	ctx   context.Context
	r     *Records
	b     *bench
	runs  []begun
	hands []inHand
	told  map[string][]Callback // by store, in the order of telling
}

func newMachine(t *rapid.T, b *bench, limit int) *machine {
	return &machine{model: newModel(propertyStores, limit), ctx: b.ctx, r: New(b.redis, Options{CreatorLimit: limit}), b: b, told: map[string][]Callback{}}
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
	refusal, joins, before := m.refusal(req), m.joins(req), m.shops[req.StoreID].newest().Generation
	accepted, err := m.r.Requests.Accept(m.ctx, req, patience)
	if refusal != "" {
		if provision.CodeOf(err) != provision.CodeConflict || !strings.HasPrefix(provision.Public(err), refusal+" ") {
			t.Fatalf("%+v: got %v, want a refusal for its %s", req, err, refusal)
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

func (m *machine) enter(t *rapid.T) {
	g := pick(t, "generation", m.shops[pick(t, "store", propertyStores)].gens)
	m.enterFor(t, g, pick(t, "worker", workers), rapid.Bool().Draw(t, "progress"))
}

func (m *machine) enterFor(t *rapid.T, g *generation, worker string, progress bool) (begun, bool) {
	token := worker + "-" + g.ID()
	expected, next := m.model.enter(g, token, progress)
	entry, run, err := m.r.Runs.Acquire(m.ctx, g.Task, token, lease, progress)
	ok(t, err)
	want(t, "entry of "+string(g.Op)+" "+g.ID(), entry, expected)
	if entry != Acquired {
		return begun{}, false
	}
	wantTasks(t, run.Next, next)
	want(t, "the run retains the data", run.Store.RetainData, g.req.RetainData)
	if g.Op == provision.OpProvision {
		want(t, "request of the run", run.Store.Request, g.req)
	}
	m.runs = append(m.runs, begun{g, run})
	return m.runs[len(m.runs)-1], true
}

func (m *machine) renew(t *rapid.T) {
	p := pick(t, "run", m.runs)
	got, err := m.r.Runs.Renew(m.ctx, p.run, lease)
	ok(t, err)
	want(t, "renewal", got, m.model.renew(p.gen, p.run.Token))
}

func (m *machine) verdict(t *rapid.T) {
	m.rule(t, pick(t, "run", m.runs), rapid.IntRange(0, 2).Draw(t, "failure") > 0)
}

func (m *machine) rule(t *rapid.T, p begun, good bool) {
	status := p.gen.Op.Failure()
	if good {
		status = p.gen.Op.Success()
	}
	expected, expectedNext := m.model.verdict(p.gen, p.run.Token, status)
	ruling, next, err := m.r.Runs.RecordOutcome(m.ctx, p.run, status, "", "")
	ok(t, err)
	want(t, string(status)+" of "+p.gen.ID(), ruling, expected)
	wantTasks(t, next, expectedNext)
}

func (m *machine) leave(t *rapid.T) {
	m.leaveRun(t, pick(t, "run", m.runs), RunEnd{rapid.Bool().Draw(t, "counted"), rapid.Bool().Draw(t, "ended")})
}

func (m *machine) leaveRun(t *rapid.T, p begun, exit RunEnd) {
	_, err := m.r.Runs.Release(m.ctx, p.run, exit)
	ok(t, err)
	if s := m.shops[p.gen.StoreID]; s.gate == p.run.Token {
		s.gate = ""
	}
}

// die lets the leases of a store run out.
func (m *machine) die(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	ok(t, m.b.redis.Del(m.ctx, keyRunLease(id), keyCallbackLease(id)).Err())
	m.shops[id].gate, m.shops[id].turn = "", ""
}

func (m *machine) turnCall(t *rapid.T) {
	m.post(t, pick(t, "store", propertyStores), pick(t, "teller", tellers))
}

// post takes the turn and posts what there is to tell.
func (m *machine) post(t *rapid.T, id, teller string) ClaimResult {
	s := m.shops[id]
	turn, call, err := m.r.Callbacks.Claim(m.ctx, id, teller, lease)
	ok(t, err)
	if s.turn != "" && s.turn != teller {
		want(t, "turn", turn, ClaimHeld)
		return turn
	}
	s.turn = teller
	next, some := s.next()
	if !some {
		want(t, "turn", turn, ClaimEmpty)
		return turn
	}
	want(t, "turn", turn, Claimed)
	want(t, "callback", call.ID()+" "+string(call.Status), next.ID()+" "+string(next.Status))
	if told := m.told[id]; len(told) > 0 && told[len(told)-1].Sequence > call.Sequence {
		t.Fatalf("sequence %d is told after %d", call.Sequence, told[len(told)-1].Sequence)
	}
	m.hands = append(m.hands, inHand{teller, call})
	return turn
}

func (m *machine) tellOne(t *rapid.T) {
	h := pick(t, "callback", m.hands)
	m.confirm(t, h.call)
	m.pass(t, h)
}

// confirm records that the backend took a callback.
func (m *machine) confirm(t *rapid.T, c Callback) {
	ok(t, m.r.Callbacks.MarkDelivered(m.ctx, c))
	if m.shops[c.StoreID].confirm(c.Sequence) {
		m.told[c.StoreID] = append(m.told[c.StoreID], c)
	}
}

func (m *machine) pass(t *rapid.T, h inHand) {
	if rapid.Bool().Draw(t, "pass") {
		ok(t, m.r.Callbacks.ReleaseClaim(m.ctx, h.call.StoreID, h.teller))
		if s := m.shops[h.call.StoreID]; s.turn == h.teller {
			s.turn = ""
		}
	}
}

// check holds what is stored against the model after every step.
func (m *machine) check(t *rapid.T) {
	if diff := cmp.Diff(m.hosts, m.b.redis.HGetAll(m.ctx, keyHosts).Val()); diff != "" {
		t.Fatal("owners of hosts: ", diff)
	}
	m.checkLines(t)
	m.checkLetters(t)
	namespaces := map[string]string{}
	for id, s := range m.shops {
		if s.owns {
			namespaces["store-"+id] = id
		}
		if s.waits() && !m.b.open(id) {
			t.Fatalf("store %s waits for something, and nobody looks after it", id)
		}
		if n := m.b.redis.Exists(m.ctx, keyRunLease(id)).Val(); (n == 1) != (s.gate != "") {
			t.Fatalf("%d leases of store %s, whose run is %q", n, id, s.gate)
		}
	}
	if diff := cmp.Diff(namespaces, m.b.redis.HGetAll(m.ctx, keyNamespaces).Val()); diff != "" {
		t.Fatal("owners of namespaces: ", diff)
	}
}

// checkLines compares who stands in line, and who has begun.
func (m *machine) checkLines(t *rapid.T) {
	for _, creator := range []string{"x", "y"} {
		begun, stored := map[string]bool{}, map[string]bool{}
		for _, id := range m.inLine(creator) {
			begun[id] = m.shops[id].begun
		}
		for _, z := range m.b.redis.ZRangeWithScores(m.ctx, prefix+"creator-queue:"+creator, 0, -1).Val() {
			stored[z.Member.(string)] = z.Score < 0
		}
		if diff := cmp.Diff(begun, stored); diff != "" {
			t.Fatalf("line of %s: %s", creator, diff)
		}
	}
}

// drain does what the sweeper and living workers do after everybody else has died.
func (m *machine) drain(t *rapid.T) {
	for _, id := range propertyStores {
		ok(t, m.b.redis.Del(m.ctx, keyRunLease(id), keyCallbackLease(id)).Err())
		m.shops[id].gate, m.shops[id].turn = "", ""
		for len(m.shops[id].dead) > 0 {
			m.replay(t, m.shops[id], pick(t, "letter", m.shops[id].dead))
		}
	}
	// In turns: a store may wait for a place that another one has.
	for round := 0; slices.ContainsFunc(propertyStores, m.b.open); round++ {
		if round > 30 {
			t.Fatalf("%d stores wait for ever", m.b.redis.ZCard(m.ctx, keyOutstanding).Val())
		}
		for _, id := range propertyStores {
			if m.b.open(id) {
				m.settle(t, id, round)
			}
		}
	}
}

func (m *machine) settle(t *rapid.T, id string, round int) {
	open, err := m.r.Recovery.Inspect(m.ctx, id)
	ok(t, err)
	want(t, "has a place now", open.TryNow, m.shops[id].parked && m.hasPlace(m.shops[id]))
	for _, task := range open.Runs {
		for _, g := range m.shops[id].gens {
			if g.Task != task {
				continue
			}
			if p, in := m.enterFor(t, g, "sweep"+strconv.Itoa(round), false); in {
				m.rule(t, p, rapid.Bool().Draw(t, "good"))
				m.leaveRun(t, p, RunEnd{Ended: true})
			}
		}
	}
	for m.post(t, id, "sweeper") == Claimed {
		h := m.hands[len(m.hands)-1]
		m.confirm(t, h.call)
	}
}

// checkEnd says what must be true when nothing waits any more.
func (m *machine) checkEnd(t *rapid.T) {
	for id, s := range m.shops {
		told, successes := map[int64]provision.Status{}, map[int64]int64{}
		for _, c := range m.told[id] {
			if c.Status.Final() {
				told[c.Generation] = c.Status
			}
			if first, again := successes[c.Generation]; c.Status.Succeeded() && again && first != c.Sequence {
				t.Fatalf("generation %d succeeds twice: %+v", c.Generation, m.told[id])
			} else if c.Status.Succeeded() {
				successes[c.Generation] = c.Sequence
			}
		}
		for _, g := range s.gens {
			deletion := g.Op == provision.OpDelete && !g.superseded
			if (deletion || g == s.newest()) && told[g.Generation] != g.status && s.overtaken[g.Generation] != g.status {
				t.Fatalf("%s of generation %d of store %s is %q, and was told %q", g.Op, g.Generation, id, g.status, told[g.Generation])
			}
			if g.status == "" && !g.superseded {
				t.Fatalf("generation %d of store %s has no end", g.Generation, id)
			}
		}
	}
	if n := m.b.redis.ZCard(m.ctx, keyOutstanding).Val(); n != 0 {
		t.Fatalf("%d stores are open in the end", n)
	}
	m.check(t)
}
