package pages

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// What was read is shown to all who ask within a moment: two hundred open pages that are told of a change cost as much as one.
const (
	cacheFor  = time.Second
	cacheMost = 500 // entries, after which all are dropped
)

// cache keeps what was read for a moment, by what was asked.
type cache[T any] struct {
	mu     sync.Mutex
	known  map[string]cached[T]
	flight singleflight.Group
}

type cached[T any] struct {
	value T
	until time.Time
}

// get returns what load has read a moment ago, or reads it, once for all who wait.
func (c *cache[T]) get(ctx context.Context, key string, load func(context.Context) (T, error)) (T, error) {
	c.mu.Lock()
	found, ok := c.known[key]
	c.mu.Unlock()
	if ok && time.Now().Before(found.until) {
		return found.value, nil
	}
	value, err, _ := c.flight.Do(key, func() (any, error) {
		value, err := load(context.WithoutCancel(ctx)) // the others wait for it, too
		if err == nil {
			c.put(key, value)
		}
		return value, err
	})
	read, _ := value.(T)
	return read, err
}

func (c *cache[T]) put(key string, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= cacheMost {
		c.known = map[string]cached[T]{}
	}
	c.known[key] = cached[T]{value, time.Now().Add(cacheFor)}
}

func (c *cache[T]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
}
