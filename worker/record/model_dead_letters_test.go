package record

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orchestrator/provision"
)

func (s *shop) bury(seq int64) {
	if c, open := s.close(seq); open {
		s.dead = append(s.dead, c)
	}
}

// replay sends the i-th dead letter again.
func (s *shop) replay(i int) provision.ReplayResult {
	c := s.dead[i]
	s.dead = slices.Delete(s.dead, i, i+1)
	if s.stale(c) {
		return provision.ReplayDropped
	}
	s.left = append(s.left, c)
	slices.SortFunc(s.left, func(a, b Callback) int { return int(a.Sequence - b.Sequence) })
	return provision.ReplayQueued
}

func (m *machine) buryOne(t *rapid.T) {
	h := pick(t, "callback", m.hands)
	ok(t, m.r.Callbacks.KeepDeadLetter(m.ctx, h.call, "400"))
	m.shops[h.call.StoreID].bury(h.call.Sequence)
	m.pass(t, h)
}

func (m *machine) replayOne(t *rapid.T) {
	s := m.shops[pick(t, "store", propertyStores)]
	m.replay(t, s, pick(t, "letter", s.dead))
}

func (m *machine) replay(t *rapid.T, s *shop, c Callback) {
	outcome, _, err := m.r.Callbacks.Replay(m.ctx, c.ID())
	ok(t, err)
	want(t, "replay", outcome, s.replay(slices.IndexFunc(s.dead, func(d Callback) bool { return d.ID() == c.ID() })))
}

// checkLetters compares the dead letters, and the index with them.
func (m *machine) checkLetters(t *rapid.T) {
	dead := []string{}
	for _, s := range m.shops {
		for _, c := range s.dead {
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
