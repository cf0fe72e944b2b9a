// Package redistest gives tests a Redis of their own: miniredis, and a real redis-server on a unix socket. What is
// started ends with the test that started it.
//
// With ORCH_TEST_REDIS=sentinel or =cluster the real one is three servers behind three sentinels, or a cluster of three
// nodes. These take seconds to start, so that the tests of a process share one and have it in turn; [Main] ends it.
//
// Time: a test sets the expiry of its leases and calls [Elapse], which costs nothing on miniredis and the time itself on
// a real server. TIME is the machine's clock on both; [MiniServer] lets a test set it.
package redistest

import (
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Each runs a subtest on miniredis and on a real server; the two must not differ. Where a topology was chosen, it is the
// only one.
func Each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	if chosen() != "" {
		t.Run(chosen(), func(t *testing.T) { test(t, Real(t)) })
		return
	}
	t.Run("miniredis", func(t *testing.T) { test(t, Mini(t)) })
	t.Run("redis", func(t *testing.T) { test(t, Real(t)) })
}

// Real starts a redis-server that keeps nothing and returns its URL. A missing binary fails the test.
func Real(t testing.TB) string {
	t.Helper()
	if chosen() != "" {
		return turn(t)
	}
	return start(t, "no").URL
}

// Mini starts a miniredis and returns its URL.
func Mini(t testing.TB) string {
	t.Helper()
	return URL(MiniServer(t))
}

// minis finds the server behind the URL that a test was given.
var minis sync.Map

// MiniServer starts a miniredis that the test may also look into.
func MiniServer(t testing.TB) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.RunT(t)
	minis.Store(URL(m), m)
	t.Cleanup(func() { minis.Delete(URL(m)) })
	return m
}

// URL is the URL of a miniredis.
func URL(m *miniredis.Miniredis) string { return "redis://" + m.Addr() }

// Elapse returns when everything that was to expire within d has expired.
func Elapse(url string, d time.Duration) {
	if m, ok := minis.Load(url); ok {
		m.(*miniredis.Miniredis).FastForward(d)
		return
	}
	time.Sleep(d)
}
