package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	storesAtOnce  = 32  // stores that a recovery or a sweep looks at at the same time: each is a few round trips to Redis
	giveUpAfter   = 100 // stores that fail, before the others are left for the next time
	shownFailures = 3
)

// forEach does something for every item, atOnce at a time. An item that fails does not keep the others from it. It stops early when ctx
// ends, and after giveUp failures: then it is not a single item that fails.
func forEach[T any](ctx context.Context, items []T, atOnce, giveUp int, do func(T) error) error {
	var failed failures
	var all errgroup.Group
	all.SetLimit(atOnce)
	for _, item := range items {
		if ctx.Err() != nil || failed.atLeast(giveUp) {
			break
		}
		all.Go(func() error {
			failed.add(do(item))
			return nil
		})
	}
	_ = all.Wait() // the failures are collected
	return errors.Join(ctx.Err(), failed.err(len(items)))
}

// failures counts the stores that something failed for, and keeps the first errors: thousands of equal ones say no more.
type failures struct {
	mu    sync.Mutex
	count int
	first []error
}

func (f *failures) add(err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; len(f.first) < shownFailures {
		f.first = append(f.first, err)
	}
}

func (f *failures) atLeast(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count >= n
}

// err says how many of all stores failed, or returns nil.
func (f *failures) err(all int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d stores failed, such as %w", f.count, all, errors.Join(f.first...))
}
