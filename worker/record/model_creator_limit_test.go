package record

import (
	"cmp"
	"slices"

	"orchestrator/worker/queue"
)

// The model's lines: which of a creator's new stores have a place.

// inLine are the stores in a creator's line: those that have begun first, then by the generation with which they came.
func (m *model) inLine(creator string) (ids []string) {
	for id, s := range m.shops {
		if s.line == creator && creator != "" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		x, y := m.shops[a], m.shops[b]
		if x.begun != y.begun {
			if x.begun {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.since, y.since), cmp.Compare(a, b))
	})
	return ids
}

func (m *model) hasPlace(s *shop) bool {
	if s.line == "" || m.limit == 0 || s.begun {
		return true
	}
	at := slices.IndexFunc(m.inLine(s.line), func(id string) bool { return m.shops[id] == s })
	return at < m.limit
}

// leaveLine returns the provisions that wait for a place and have one now.
func (m *model) leaveLine(s *shop) (next []queue.Task) {
	creator := s.line
	s.line, s.begun = "", false
	for _, id := range m.inLine(creator) {
		if other := m.shops[id]; other.parked && m.hasPlace(other) && m.limit > 0 {
			next = append(next, other.newest().Task)
		}
	}
	return next
}
