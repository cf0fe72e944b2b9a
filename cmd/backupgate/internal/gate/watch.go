package gate

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// leastMoved is how many bytes a request moves at least in the time after which it counts as stalled. A few are not enough: a client that sends one byte at a time would hold its slot for hours.
const leastMoved = 16 << 10

// stalled says which side has not moved for so long.
type stalled struct {
	client bool
	after  time.Duration
}

func (s stalled) Error() string {
	side := "storage"
	if s.client {
		side = "client"
	}
	return fmt.Sprintf("the %s has moved less than %d bytes in %s", side, leastMoved, s.after)
}

// watch ends a request that moves too little: its context, and the reads and writes at its client.
type watch struct {
	after   time.Duration
	control *http.ResponseController
	cancel  context.CancelCauseFunc

	mu      sync.Mutex
	timer   *time.Timer
	moved   int64
	client  int           // reads and writes that the client has to do something for, now
	since   time.Time     // when the first of them began
	waited  time.Duration // how long there was one, since the watch has last looked
	stopped bool
}

// startWatch begins to watch. The caller ends it by stop before it returns the connection to its server.
func startWatch(ctx context.Context, w http.ResponseWriter, after time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	v := &watch{after: after, control: http.NewResponseController(w), cancel: cancel}
	v.timer = time.AfterFunc(after, v.look)
	return ctx, v
}

func (v *watch) look() {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.stopped:
	case v.moved >= leastMoved:
		v.moved, v.waited, v.since = 0, 0, time.Now()
		v.timer.Reset(v.after)
	default:
		now := time.Now()
		if v.client > 0 {
			v.waited += now.Sub(v.since)
		}
		v.cancel(stalled{client: v.waited > v.after/2, after: v.after})
		_ = v.control.SetReadDeadline(now)
		_ = v.control.SetWriteDeadline(now.Add(2 * farewell))
	}
}

func (v *watch) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stopped = true
	v.timer.Stop()
	v.cancel(context.Canceled)
}

// waiting is called before a read or a write at the client, and the function that it returns after it, with the bytes that have moved.
func (v *watch) waiting() func(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.client++; v.client == 1 {
		v.since = time.Now()
	}
	return func(n int) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.client--; v.client == 0 {
			v.waited += time.Since(v.since)
		}
		v.moved += int64(n)
	}
}

// moves notes bytes that no client had to do something for.
func (v *watch) moves(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.moved += int64(n)
}
