package kube

import (
	"container/heap"
	"context"
	"sync"

	"orchestrator/provision"
)

// weights are the shares of the classes: while all of them wait, of 23 writes that begin 16 finish a store, 4 are of stores that begin, 2 of deletes,
// and one is maintenance. A class that does not wait leaves its share to the others.
var weights = map[provision.WriteClass]float64{
	provision.WriteFinish: 16, provision.WriteBegin: 4, provision.WriteDelete: 2, provision.WriteMaintenance: 1}

// byWeight are the classes in the order in which they go first where their shares are even.
var byWeight = []provision.WriteClass{provision.WriteFinish, provision.WriteBegin, provision.WriteDelete, provision.WriteMaintenance}

// writeSlots limit how many writes run against one API server at the same time, over all runs of the process, and say which one is next. A class
// that waits gets its share; within a class, the request that was accepted first goes first, so that what has begun is finished before more is begun.
type writeSlots struct {
	observer Observer

	mu      sync.Mutex
	limit   writeLimit
	running int
	arrived int64
	now     float64 // the given of the class that had the last slot
	classes map[provision.WriteClass]*classQueue
}

// classQueue are the writes of a class.
type classQueue struct {
	waiting writeHeap
	running int
	given   float64 // slots that it was given, by its weight; the class with the least is next
}

func newWriteSlots(limit writeLimit, observer Observer) *writeSlots {
	s := &writeSlots{observer: observer, limit: limit, classes: map[provision.WriteClass]*classQueue{}}
	for class := range weights {
		s.classes[class] = &classQueue{}
	}
	observer.WriteLimit(limit.now)
	return s
}

// acquire waits for a slot until ctx ends.
func (s *writeSlots) acquire(ctx context.Context, w provision.Writes) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	write := s.enter(w)
	select {
	case <-write.granted:
		return nil
	default:
	}
	s.observer.Waiting(string(w.Class), 1)
	defer s.observer.Waiting(string(w.Class), -1)
	select {
	case <-write.granted:
		return nil
	case <-ctx.Done():
		s.leave(write, w.Class)
		return context.Cause(ctx)
	}
}

// enter has a write wait, and gives it a slot at once if one is free.
func (s *writeSlots) enter(w provision.Writes) *waitingWrite {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived++
	write := &waitingWrite{since: w.Since, arrived: s.arrived, granted: make(chan struct{})}
	queue := s.classes[w.Class]
	if len(queue.waiting) == 0 {
		queue.given = max(queue.given, s.now) // what it did not ask for before is not made up for
	}
	heap.Push(&queue.waiting, write)
	s.grant()
	return write
}

// leave has a write wait no longer. A slot that it was given meanwhile goes to the next one.
func (s *writeSlots) leave(write *waitingWrite, class provision.WriteClass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if write.index >= 0 {
		heap.Remove(&s.classes[class].waiting, write.index)
		return
	}
	s.free(class)
}

func (s *writeSlots) release(class provision.WriteClass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(class)
}

func (s *writeSlots) free(class provision.WriteClass) {
	s.running--
	s.classes[class].running--
	s.grant()
}

// grant gives the free slots to those who are next.
func (s *writeSlots) grant() {
	for {
		class, queue := s.next()
		if queue == nil {
			return
		}
		if s.running >= s.limit.now {
			s.limit.reached()
			return
		}
		s.running++
		queue.running++
		s.now = queue.given
		queue.given += 1 / weights[class]
		close(heap.Pop(&queue.waiting).(*waitingWrite).granted)
	}
}

// next is the class whose turn it is; nil if none waits that may have a slot. Maintenance has half of the slots at most.
func (s *writeSlots) next() (next provision.WriteClass, queue *classQueue) {
	for _, class := range byWeight {
		q := s.classes[class]
		full := class == provision.WriteMaintenance && q.running >= max(s.limit.now/2, 1)
		if len(q.waiting) > 0 && !full && (queue == nil || q.given < queue.given) {
			next, queue = class, q
		}
	}
	return next, queue
}

// waitingWrite is a write that waits for a slot.
type waitingWrite struct {
	since, arrived int64
	index          int // in its heap; -1: it has the slot
	granted        chan struct{}
}

// writeHeap is a [heap.Interface]: the request that was accepted first is at the top.
type writeHeap []*waitingWrite

func (h writeHeap) Len() int { return len(h) }

func (h writeHeap) Less(i, j int) bool {
	if h[i].since != h[j].since {
		return h[i].since < h[j].since
	}
	return h[i].arrived < h[j].arrived
}

func (h writeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *writeHeap) Push(x any) {
	write := x.(*waitingWrite)
	write.index = len(*h)
	*h = append(*h, write)
}

// Pop implements [heap.Interface].
func (h *writeHeap) Pop() any {
	last := len(*h) - 1
	write := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	write.index = -1
	return write
}
