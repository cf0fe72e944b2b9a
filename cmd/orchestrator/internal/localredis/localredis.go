package localredis

import (
	"context"
	"os"

	"orchestrator/cmd/orchestrator/internal/child"
)

// Options say which Redis is wanted and where it keeps its data.
type Options struct {
	Want  string // Auto, System, Embedded or a URL
	URL   string // REDIS_URL, for Auto
	Dir   string // made when it is needed
	Log   string // of a child
	Group *child.Group
	// Trouble is called when the embedded Redis cannot keep its data; from any goroutine.
	Trouble func(error)
}

// Redis is one that runs.
type Redis struct {
	URL        string
	Name       string // for people
	Durability string // for people: what a crash costs
	Warning    string // for people; "" is the normal case
	Given      bool   // somebody else runs it, and may use it too

	stop func()
}

// Stop ends what Start has started, once nobody needs it any more. A nil Redis does nothing.
func (r *Redis) Stop() {
	if r != nil && r.stop != nil {
		r.stop()
	}
}

// Start chooses a Redis, starts it where that is needed, and returns when it answers.
func Start(ctx context.Context, o Options) (*Redis, error) {
	c, err := choose(o.Want, o.URL, thisMachine)
	if err != nil {
		return nil, err
	}
	if c.way != Embedded && c.way != System {
		return given(ctx, c.way)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if c.way == System {
		return startSystem(ctx, c.server, o)
	}
	return startEmbedded(ctx, c.why, o)
}
