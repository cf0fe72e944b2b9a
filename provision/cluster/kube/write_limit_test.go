package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"orchestrator/provision"
)

// server answers a limit: so many writes at a time, each in the time that follows from how many there are.
type server struct {
	limit   writeLimit
	now     time.Time
	latency func(writes int) time.Duration
}

// busy lets the server answer for a while, all slots taken.
func (s *server) busy(during time.Duration, refused bool) int {
	for end := s.now.Add(during); s.now.Before(end); {
		took := s.latency(s.limit.now)
		s.now = s.now.Add(took)
		for range s.limit.now {
			s.limit.reached()
			s.limit.answered(s.now, took, refused)
		}
	}
	return s.limit.now
}

func TestWriteLimitFollowsTheAPIServer(t *testing.T) {
	fast := func(int) time.Duration { return 10 * time.Millisecond }
	s := server{limit: newWriteLimit(0), now: time.Unix(1000, 0), latency: fast}
	if n := s.busy(2*time.Second, false); n < firstWrites+4 {
		t.Errorf("a server that is not slowed down gets %d writes at a time", n)
	}
	if n := s.busy(time.Minute, false); n != maxWrites {
		t.Errorf("it gets %d in the end", n)
	}
	s.latency = func(writes int) time.Duration { return time.Duration(10+5*writes) * time.Millisecond }
	if n := s.busy(time.Minute, false); n < 3 || n > 16 {
		t.Errorf("a server that each write slows down by half gets %d", n)
	}
	s.latency = func(int) time.Duration { return time.Second }
	if n := s.busy(5*time.Minute, false); n != firstWrites {
		t.Errorf("a server that has become slow gets %d", n)
	}
	before := s.limit.now
	if n := s.busy(window+s.latency(before), true); n >= before || n < minWrites {
		t.Errorf("a server that refuses gets %d, after %d", n, before)
	}
	if n := s.busy(10*time.Second, true); n != minWrites {
		t.Errorf("a server that goes on refusing gets %d", n)
	}
	if n := s.busy(5*time.Minute, false); n != firstWrites {
		t.Errorf("a server that is slow and does not refuse any more gets %d", n)
	}
	s.latency = fast
	if n := s.busy(2*time.Second, false); n < firstWrites+4 {
		t.Errorf("a server that has recovered gets %d", n)
	}
}

func TestWriteLimitThatIsSetStays(t *testing.T) {
	s := server{limit: newWriteLimit(7), now: time.Unix(1000, 0), latency: func(int) time.Duration { return time.Millisecond }}
	if n := s.busy(time.Second, false); n != 7 {
		t.Errorf("it rose to %d", n)
	}
	if n := s.busy(time.Second, true); n != 7 {
		t.Errorf("it fell to %d", n)
	}
}

func TestWriteLimitDoesNotRiseWhereNothingWaits(t *testing.T) {
	l, now := newWriteLimit(0), time.Unix(1000, 0)
	for range 1000 {
		now = now.Add(20 * time.Millisecond)
		l.answered(now, time.Millisecond, false)
	}
	if l.now != firstWrites {
		t.Errorf("it is %d", l.now)
	}
}

func TestRefusals(t *testing.T) {
	away := errors.New("connection refused")
	for name, test := range map[string]struct {
		status int
		err    error
		want   bool
	}{
		"created": {status: 201}, "conflict": {status: 409}, "a webhook that fails": {status: 500}, "a run that ends": {err: context.Canceled},
		"too many requests": {status: 429, want: true}, "unavailable": {status: 503, want: true}, "timeout": {status: 504, want: true},
		"no answer": {err: context.DeadlineExceeded, want: true}, "away": {err: away, want: true},
	} {
		if got := refuses(test.status, test.err); got != test.want {
			t.Errorf("%s refuses: %v", name, got)
		}
	}
}

// TestTooManyRequestsLowerTheLimitAndFailNoWrite: the client waits as long as it is told to, and asks again.
func TestTooManyRequestsLowerTheLimitAndFailNoWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, asked, start := &seen{}, 0, time.Now()
		answer := roundTrip(func(req *http.Request) (*http.Response, error) {
			asked++
			if asked <= 3 {
				return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}, Body: http.NoBody, Request: req}, nil
			}
			created := io.NopCloser(strings.NewReader(`{"apiVersion": "v1", "kind": "Namespace"}`))
			return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}}, Body: created, Request: req}, nil
		})
		c, err := New(Config{Observer: s}, &rest.Config{Host: "http://x", Transport: answer})
		if err != nil {
			t.Fatal(err)
		}
		if n := s.slots.Load(); n != firstWrites {
			t.Errorf("there are %d slots at first", n)
		}
		err = c.Write(t.Context(), func() error {
			_, err := c.Clientset.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{}, metav1.CreateOptions{})
			return err
		})
		if err != nil || asked != 4 {
			t.Errorf("%v after %d requests", err, asked)
		}
		if waited := time.Since(start); waited < 6*time.Second {
			t.Errorf("it was asked again within %s", waited)
		}
		if n := s.slots.Load(); n != minWrites {
			t.Errorf("there are %d slots after three refusals", n)
		}
		checkIdle(t, c.writes)
	})
}

// TestWritesThatFailForTooManyRequestsAreTriedAgain: what the client gives up is not the store's failure.
func TestWritesThatFailForTooManyRequestsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := roundTrip(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}, Body: http.NoBody, Request: req}, nil
		})
		c, err := New(Config{}, &rest.Config{Host: "http://x", Transport: answer})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Write(t.Context(), func() error {
			_, err := c.Clientset.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{}, metav1.CreateOptions{})
			return WrapError(err, "create a namespace")
		})
		wantCode(t, err, provision.CodeUnavailable)
	})
}
