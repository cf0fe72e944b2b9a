package record

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/provision"
)

func (s *modelStore) keepDeadLetter(seq int64, forgotten bool) {
	if c, open := s.removePending(seq); open {
		s.deadLetters, s.lastRefused = append(s.deadLetters, c), c.Sequence
		s.forgotten = s.forgotten || (forgotten && c.Status.Final() && c.Generation == s.newest().Generation)
	}
}

// replay sends the i-th dead letter again.
func (s *modelStore) replay(i int) provision.ReplayResult {
	c := s.deadLetters[i]
	s.deadLetters = slices.Delete(s.deadLetters, i, i+1)
	if c.Sequence == s.lastRefused {
		s.lastRefused = 0
	}
	if s.stale(c) {
		return provision.ReplayDropped
	}
	s.pending = append(s.pending, c)
	slices.SortFunc(s.pending, func(a, b Callback) int { return int(a.Sequence - b.Sequence) })
	return provision.ReplayQueued
}

func (m *machine) keepDeadLetter(t *rapid.T) {
	h := pick(t, "callback", m.claimed)
	forgotten := rapid.Bool().Draw(t, "the backend does not know the store")
	ok(t, m.r.Callbacks.KeepDeadLetter(m.ctx, h.call, "4xx", forgotten))
	m.stores[h.call.StoreID].keepDeadLetter(h.call.Sequence, forgotten)
	m.releaseClaim(t, h)
}

func (m *machine) replayAny(t *rapid.T) {
	s := m.stores[pick(t, "store", propertyStores)]
	m.replay(t, s, pick(t, "dead letter", s.deadLetters))
}

func (m *machine) replay(t *rapid.T, s *modelStore, c Callback) {
	outcome, _, err := m.r.Callbacks.Replay(m.ctx, c.ID())
	ok(t, err)
	want(t, "replay", outcome, s.replay(slices.IndexFunc(s.deadLetters, func(d Callback) bool { return d.ID() == c.ID() })))
}

// checkDeadLetters compares the dead letters, and the index with them.
func (m *machine) checkDeadLetters(t *rapid.T) {
	dead := []string{}
	for _, s := range m.stores {
		for _, c := range s.deadLetters {
			dead = append(dead, c.ID())
		}
	}
	sorted := func(ids []string) []string { slices.Sort(ids); return ids }
	for _, stored := range [][]string{m.b.redis.HKeys(m.ctx, keyDeadLetters).Val(), m.b.redis.ZRange(m.ctx, keyDeadLetterTimes, 0, -1).Val()} {
		if diff := cmp.Diff(sorted(dead), sorted(stored)); diff != "" {
			t.Fatal("dead letters: ", diff)
		}
	}
}
