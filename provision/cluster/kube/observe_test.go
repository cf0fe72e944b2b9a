package kube

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestResourceOfAPath(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/namespaces/a/pods/b":                    "pods",
		"/api/v1/namespaces/a":                           "namespaces",
		"/api/v1/pods":                                   "pods",
		"/apis/apps/v1/namespaces/a/deployments/b/scale": "deployments",
		"/prefix/apis/batch/v1/namespaces/a/jobs":        "jobs",
		"/apis/example.com/v1/namespaces/a/things/b":     "other",
		"/api/v1":       "other",
		"/apis/apps/v1": "other",
		"/version":      "other",
		"/":             "other",
	} {
		if got := resourceOf(path); got != want {
			t.Errorf("%s is of %s, want %s", path, got, want)
		}
	}
}

// seen keeps what an observer was told.
type seen struct {
	requests []string
	waiting  atomic.Int64
	slots    atomic.Int64
}

func (s *seen) Request(method, resource string, status int, _ time.Duration) {
	s.requests = append(s.requests, fmt.Sprint(method, " ", resource, " ", status))
}
func (s *seen) Helm(string, error, time.Duration) {}
func (s *seen) Waiting(_ string, change int)      { s.waiting.Add(int64(change)) }
func (s *seen) WriteLimit(slots int)              { s.slots.Store(int64(slots)) }

func TestEachRequestIsObservedOnceButWatches(t *testing.T) {
	s := &seen{}
	fails := false
	o := observed{roundTrip(func(*http.Request) (*http.Response, error) {
		if fails {
			return nil, errors.New("away")
		}
		return &http.Response{StatusCode: http.StatusNotFound}, nil
	}), s, newWriteSlots(newWriteLimit(1), s)}
	ask := func(url string) {
		_, _ = o.RoundTrip(httptest.NewRequest(http.MethodGet, url, nil)) //nolint:bodyclose // it has none
	}
	ask("/api/v1/namespaces/a/secrets/b")
	ask("/api/v1/pods?watch=true")
	fails = true
	ask("/api/v1/namespaces/a/secrets/b")
	if want := []string{"GET secrets 404", "GET secrets 0"}; !slices.Equal(s.requests, want) {
		t.Errorf("it was told of %q, want %q", s.requests, want)
	}
}

func TestWritesThatWaitAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &seen{}
		c := &Client{writes: newWriteSlots(newWriteLimit(1), s)}
		release, ended := make(chan struct{}), make(chan error)
		for range 2 {
			go func() { ended <- c.Write(t.Context(), func() error { <-release; return nil }) }()
		}
		synctest.Wait()
		if n := s.waiting.Load(); n != 1 {
			t.Errorf("%d writes wait beside the one that has the slot", n)
		}
		close(release)
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if n := s.waiting.Load(); n != 0 {
			t.Errorf("%d writes wait at the end", n)
		}
	})
}
