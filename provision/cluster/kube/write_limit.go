package kube

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// The limit of the writes at a time moves between two bounds, as the API server answers. It begins low: each calm window raises it, within a fraction of a
// second.
const (
	minWrites   = 2
	firstWrites = 4
	maxWrites   = 64

	window      = 250 * time.Millisecond // the least time between two changes
	windowSize  = 20                     // and the least writes, where none was refused
	calmFactor  = 2                      // as many times slower than in the quietest window: the limit may rise
	tightFactor = 8                      // as many times slower: it falls
	forget      = 10_000                 // the quietest window counts for less: by a part of its latency in each window, in which a cluster may have become slower
)

// writeLimit is how many writes run at a time. Where its bounds differ it adapts: it rises by one while writes wait for it and take hardly longer than
// with little under way, falls by a tenth when they take much longer, though not below where it began, and by a third when the API server says that it has too much
// to do.
type writeLimit struct {
	now, min, max int

	quiet time.Duration // mean latency of the quietest window
	answers
}

// answers are those of the window that has not ended.
type answers struct {
	since    time.Time
	writes   int
	took     time.Duration // all together
	refused  bool
	hadAWait bool // a write has waited since the limit was reached
}

// newWriteLimit is a limit of n writes, or one that adapts if n is 0.
func newWriteLimit(n int) writeLimit {
	if n > 0 {
		return writeLimit{now: n, min: n, max: n}
	}
	return writeLimit{now: firstWrites, min: minWrites, max: maxWrites}
}

// reached notes that a write waits for the limit.
func (l *writeLimit) reached() { l.hadAWait = true }

// answered notes that a write has been answered, and reports whether the limit has changed.
func (l *writeLimit) answered(now time.Time, took time.Duration, refused bool) (changed bool) {
	if l.since.IsZero() {
		l.since = now
	}
	l.writes++
	l.took += took
	l.refused = l.refused || refused
	if now.Sub(l.since) < window || !l.refused && l.writes < windowSize {
		return false
	}
	before := l.now
	l.now = min(max(l.next(), l.min), l.max)
	l.answers = answers{since: now}
	return l.now != before
}

// next is the limit that follows from the window.
func (l *writeLimit) next() int {
	if l.refused {
		return l.now * 2 / 3
	}
	mean := l.took / time.Duration(l.writes)
	l.quiet += l.quiet / forget
	if l.quiet == 0 || mean < l.quiet {
		l.quiet = mean
	}
	switch {
	case l.hadAWait && (l.now < firstWrites || mean < calmFactor*l.quiet):
		return l.now + 1
	case l.now > firstWrites && mean > tightFactor*l.quiet:
		return max(l.now-max(l.now/10, 1), firstWrites) // and no further: it may be the worker that is slow
	}
	return l.now
}

// refuses reports whether an answer says that the API server has too much to do: it asks to be left alone for a while, or does not answer. Another 5xx
// is of one request; one that is of the server shows in the time that it took.
func refuses(status int, err error) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return err != nil && !errors.Is(err, context.Canceled)
}

// answered lets the limit follow from an answer of the API server.
func (s *writeSlots) answered(method string, status int, err error, took time.Duration) {
	refused := refuses(status, err)
	if !refused && !mutates(method) || errors.Is(err, context.Canceled) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limit.answered(time.Now(), took, refused) {
		s.observer.WriteLimit(s.limit.now)
		s.grant()
	}
}
