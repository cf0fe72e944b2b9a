package pages

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// What was read is shown to all who ask within a moment: two hundred open pages that are told of a change cost as much as one.
const (
	cacheFor  = time.Second
	cacheMost = 200 // entries, after which all are dropped
)

// cache keeps what was read for a moment, by what was asked.
type cache[T any] struct {
	mu     sync.Mutex
	epoch  int // what was read, or began to be, in an earlier one is not shown
	known  map[string]cached[T]
	flight singleflight.Group
}

type cached[T any] struct {
	value T
	until time.Time
}

// get returns what load has read a moment ago, or reads it, once for all who wait. load has as long as a page may take, even if who has asked goes away.
func (c *cache[T]) get(ctx context.Context, key string, load func(context.Context) (T, error)) (T, error) {
	found, fresh, epoch := c.look(key)
	if fresh {
		return found, nil
	}
	value, err, _ := c.flight.Do(strconv.Itoa(epoch)+" "+key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWithin) // the others wait for it, too
		defer cancel()
		value, err := load(ctx)
		if err == nil {
			c.put(epoch, key, value)
		}
		return value, err
	})
	read, _ := value.(T)
	return read, err
}

func (c *cache[T]) look(key string) (value T, fresh bool, epoch int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.known[key]
	return found.value, ok && time.Now().Before(found.until), c.epoch
}

func (c *cache[T]) put(epoch int, key string, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch {
		return // something has changed since
	}
	if c.known == nil || len(c.known) >= cacheMost {
		c.known = map[string]cached[T]{}
	}
	c.known[key] = cached[T]{value, time.Now().Add(cacheFor)}
}

// clear has everything read anew: something has changed.
func (c *cache[T]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
	c.epoch++
}
