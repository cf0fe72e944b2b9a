package gate

import (
	"net/http"
	"sync"
)

// slots bound how many requests are at the storage, in all and of one store. None waits: restic comes again.
type slots struct {
	all, perStore int

	mu    sync.Mutex
	inUse int
	of    map[string]int
}

func newSlots(all, perStore int) *slots {
	return &slots{all: all, perStore: perStore, of: map[string]int{}}
}

// take takes a slot; nil means that it has to be given back by release.
func (s *slots) take(store string) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.of[store] >= s.perStore:
		return later(http.StatusTooManyRequests, "2", "this store has %d requests in work already (ORCH_BACKUP_AT_ONCE_PER_STORE)", s.perStore)
	case s.inUse >= s.all:
		return later(http.StatusServiceUnavailable, "5", "the gate has %d requests in work already (ORCH_BACKUP_AT_ONCE)", s.all)
	}
	s.inUse++
	s.of[store]++
	return nil
}

func (s *slots) release(store string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse--
	if s.of[store]--; s.of[store] == 0 {
		delete(s.of, store)
	}
}

func (s *slots) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse
}
