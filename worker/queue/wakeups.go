package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Times of an idle server.
const (
	// LookEvery is the [asynq.Config] TaskCheckInterval of a server whose client has [Wakeups]: they make it look far more rarely.
	LookEvery = 4 * time.Millisecond
	// announcedFor is how long an announced task is looked for. It is announced by the script that accepts its request, and enqueued after that.
	announcedFor = 50 * time.Millisecond
)

// Wakeups have an idle server look into its queue when there is a task. asynq only polls: a short interval costs Redis and worker
// commands all day, a long one every store a part of a second. As a hook of the servers' client they hold back the answer that a queue is empty, until there is
// reason to look again. What is lost, or not told of, is found at the next poll.
type Wakeups struct {
	every   time.Duration
	stopped chan struct{}
	stop    sync.Once

	mu     sync.Mutex
	queues map[string]*wakeup
}

// wakeup is of one queue.
type wakeup struct {
	look      chan struct{} // holds one
	announced int           // tasks that were announced and not found so far
	until     time.Time     // when they are not looked for any longer
}

var _ redis.Hook = (*Wakeups)(nil)

// NewWakeups returns those of a client. An idle queue is polled this often all the same.
func NewWakeups(poll time.Duration) *Wakeups {
	return &Wakeups{every: poll, stopped: make(chan struct{}), queues: map[string]*wakeup{}}
}

// Enqueued has the server of a queue look for a task that is there.
func (w *Wakeups) Enqueued(queue string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of(queue).signal()
}

// Announced has the server of a queue look for a task that is about to be there.
func (w *Wakeups) Announced(queue string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.of(queue)
	q.announced++
	q.until = time.Now().Add(announcedFor)
	q.signal()
}

// Stop ends all waits, now and later: the servers are about to stop.
func (w *Wakeups) Stop() { w.stop.Do(func() { close(w.stopped) }) }

// of is called with the lock held.
func (w *Wakeups) of(queue string) *wakeup {
	q := w.queues[queue]
	if q == nil {
		q = &wakeup{look: make(chan struct{}, 1)}
		w.queues[queue] = q
	}
	return q
}

func (q *wakeup) signal() {
	select {
	case q.look <- struct{}{}:
	default:
	}
}

// found notes that the queue had a task.
func (w *Wakeups) found(queue string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.of(queue)
	q.announced = max(q.announced-1, 0)
}

// wait returns when there is reason to look into an empty queue again. While a task is announced there is.
func (w *Wakeups) wait(queue string) {
	w.mu.Lock()
	q := w.of(queue)
	if q.announced > 0 && time.Now().Before(q.until) {
		w.mu.Unlock()
		return
	}
	q.announced = 0 // another worker has them
	w.mu.Unlock()
	poll := time.NewTimer(w.every)
	defer poll.Stop()
	select {
	case <-q.look:
	case <-poll.C:
	case <-w.stopped:
	}
}

// ProcessHook implements [redis.Hook].
func (w *Wakeups) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		queue, does := asynqScript(cmd)
		switch {
		case does == dequeues && err == nil:
			w.found(queue)
		case does == dequeues && errors.Is(err, redis.Nil):
			w.wait(queue)
		case does == forwards && err == nil && moved(cmd):
			w.Enqueued(queue)
		}
		return err
	}
}

// DialHook implements [redis.Hook].
func (w *Wakeups) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements [redis.Hook].
func (w *Wakeups) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// script is one of asynq's scripts that Wakeups know.
type script int

const (
	another  script = iota
	dequeues        // takes a task from what is pending
	forwards        // makes the tasks pending whose time to be tried has come
)

// asynqScript returns what a command of asynq does to which queue, by the keys that its script has.
func asynqScript(cmd redis.Cmder) (queue string, does script) {
	args := cmd.Args()
	if len(args) < 5 || cmd.Name() != "evalsha" && cmd.Name() != "eval" {
		return "", another
	}
	key := func(i int) (queue, kind string) {
		text, _ := args[3+i].(string)
		queue, kind, _ = strings.Cut(strings.TrimPrefix(text, "asynq:{"), "}:")
		return queue, kind
	}
	queue, first := key(0)
	_, second := key(1)
	switch keys := fmt.Sprint(args[2]); {
	case keys == "4" && first == "pending" && second == "paused":
		return queue, dequeues
	case keys == "2" && (first == "retry" || first == "scheduled") && second == "pending":
		return queue, forwards
	}
	return "", another
}

// moved reports whether a script that forwards has found something.
func moved(cmd redis.Cmder) bool {
	answer, ok := cmd.(*redis.Cmd)
	if !ok {
		return false
	}
	n, err := answer.Int()
	return err == nil && n > 0
}
