package record

import (
	"cmp"
	"slices"

	"orchestrator/worker/queue"
)

// The model's creator queues: which of a creator's new stores have a slot.

// creatorQueue are the stores in a creator's queue: those that have started first, then by the generation with which they were queued.
func (m *model) creatorQueue(creator string) (ids []string) {
	for id, s := range m.stores {
		if s.queue == creator && creator != "" {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		x, y := m.stores[a], m.stores[b]
		if x.started != y.started {
			if x.started {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.queuedAs, y.queuedAs), cmp.Compare(a, b))
	})
	return ids
}

func (m *model) hasSlot(s *modelStore) bool {
	if s.queue == "" || m.limit == 0 || s.started {
		return true
	}
	at := slices.IndexFunc(m.creatorQueue(s.queue), func(id string) bool { return m.stores[id] == s })
	return at < m.limit
}

// leaveCreatorQueue returns the provisions that wait for a slot and have one now.
func (m *model) leaveCreatorQueue(s *modelStore) (next []queue.Task) {
	creator := s.queue
	s.queue, s.started = "", false
	for _, id := range m.creatorQueue(creator) {
		if other := m.stores[id]; other.throttled && m.hasSlot(other) && m.limit > 0 {
			next = append(next, other.newest().Task)
		}
	}
	return next
}
