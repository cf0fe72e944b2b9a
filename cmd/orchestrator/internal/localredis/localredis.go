package localredis

import (
	"context"
	"os"

	"orchestrator/cmd/orchestrator/internal/child"
)

// Options say which Redis to use and where it keeps its data.
type Options struct {
	Want  string // Auto, System, Embedded or a URL
	URL   string // REDIS_URL, for Auto
	Dir   string // created if it is needed
	Log   string // log file of a child process
	Group *child.Group
	// OnError is called if the embedded Redis cannot write its data; from any goroutine.
	OnError func(error)
}

// Redis is a running Redis.
type Redis struct {
	URL        string
	Name       string // to be printed
	Durability string // to be printed: what a crash can lose
	Warning    string // to be printed; normally ""
	External   bool   // it is not run by this process, and others may use it too

	stop func()
}

// Stop stops what Start has started. Callers have to stop its users first. On a nil Redis it does nothing.
func (r *Redis) Stop() {
	if r != nil && r.stop != nil {
		r.stop()
	}
}

// Start chooses a Redis, starts it if that is needed, and returns once it answers.
func Start(ctx context.Context, o Options) (*Redis, error) {
	c, err := choose(o.Want, o.URL, thisMachine)
	if err != nil {
		return nil, err
	}
	if c.kind != Embedded && c.kind != System {
		return connectExternal(ctx, c)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if c.kind == System {
		return startSystem(ctx, c.server, o)
	}
	return startEmbedded(ctx, c.why, o)
}
