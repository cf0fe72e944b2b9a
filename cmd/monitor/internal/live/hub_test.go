package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// source is Redis: what is newest of all stores and of each.
type source struct {
	mu     sync.Mutex
	newest map[string]string
	err    error
	calls  int
}

func (s *source) Newest(_ context.Context, stores []string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	answer := map[string]string{}
	for _, id := range append(stores, "") {
		if at, ok := s.newest[id]; ok {
			answer[id] = at
		}
	}
	return answer, s.err
}

func (s *source) set(id, at string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest[id], s.err = at, err
}

// open opens a page, and returns what it was told once it is closed.
func open(ctx context.Context, h *Hub, store string) (told func() string) {
	ctx, cancel := context.WithCancel(ctx)
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/live?store="+store, nil))
	}()
	return func() string {
		cancel()
		<-done
		var words []string
		for line := range strings.Lines(w.Body.String()) {
			if word, ok := strings.CutPrefix(strings.TrimSpace(line), "event: "); ok {
				words = append(words, word)
			}
		}
		return strings.Join(words, " ")
	}
}

func bubble(t *testing.T, test func(t *testing.T, ctx context.Context, s *source, h *Hub)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &source{newest: map[string]string{"": "1-0"}}
		h := New(s, func() {}, slog.New(slog.DiscardHandler))
		done := make(chan struct{})
		go func() { defer close(done); h.Run(ctx) }()
		test(t, ctx, s, h)
		cancel()
		<-done
	})
}

func TestPagesAreToldOfTheirOwnChanges(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, s *source, h *Hub) {
		all, a, b := open(ctx, h, ""), open(ctx, h, "a"), open(ctx, h, "b")
		time.Sleep(3 * time.Second)
		s.set("a", "2-0", nil)
		time.Sleep(3 * time.Second)
		s.set("", "2-0", nil)
		time.Sleep(3 * time.Second)
		if got := []string{all(), a(), b()}; fmt.Sprint(got) != "[open changed changed open changed changed open changed]" {
			t.Errorf("told %q", got)
		}
	})
}

func TestManyChangesAreToldOnce(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, s *source, h *Hub) {
		all := open(ctx, h, "")
		time.Sleep(3 * time.Second)
		for n := range 10 {
			s.set("", fmt.Sprint(n+2), nil)
			time.Sleep(600 * time.Millisecond)
		}
		if got := all(); strings.Count(got, "changed") > 5 || strings.Count(got, "changed") < 4 {
			t.Errorf("told %s within six seconds", got)
		}
	})
}

func TestPagesAreToldThatRedisIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, s *source, h *Hub) {
		all := open(ctx, h, "")
		time.Sleep(3 * time.Second)
		s.set("", "1-0", errors.New("away"))
		time.Sleep(20 * time.Second)
		s.set("", "1-0", nil)
		time.Sleep(3 * time.Second)
		if got := all(); got != "open changed lost lost changed" {
			t.Errorf("told %s", got)
		}
	})
}

func TestTwoHundredViewersCostAsMuchAsOne(t *testing.T) {
	calls := func(viewers int) (n int) {
		bubble(t, func(t *testing.T, ctx context.Context, s *source, h *Hub) {
			for i := range viewers {
				v, ok := h.join(fmt.Sprint(i), "")
				if !ok {
					t.Fatal("not let in")
				}
				defer h.leave(v)
			}
			time.Sleep(time.Minute + pollEvery/2)
			s.mu.Lock()
			n = s.calls
			s.mu.Unlock()
		})
		return n
	}
	if none, one, many := calls(0), calls(1), calls(viewersMost); none != 0 || one == 0 || many != one {
		t.Errorf("Redis is asked %d times for none, %d for one, %d for %d", none, one, many, viewersMost)
	}
}

func TestTooManyPagesAreRefused(t *testing.T) {
	h := New(&source{}, func() {}, slog.New(slog.DiscardHandler))
	for range viewersEach {
		h.join("ana", "")
	}
	if _, ok := h.join("ana", ""); ok {
		t.Error("one user may have any number of pages")
	}
	w := httptest.NewRecorder()
	for i := range viewersMost {
		h.join(fmt.Sprint(i), "")
	}
	h.ServeHTTP(w, httptest.NewRequest("GET", "/live", nil))
	if w.Code != 429 {
		t.Errorf("the page beyond is answered with %d", w.Code)
	}
}

func TestAStreamEnds(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, _ *source, h *Hub) {
		start := time.Now()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/live", nil))
		if took := time.Since(start); took != longest || len(h.viewers) != 0 {
			t.Errorf("it lasts %s, %d viewers stay", took, len(h.viewers))
		}
	})
}
