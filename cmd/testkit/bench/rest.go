package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/chaos/rig"
)

// asked is how often something is asked for; the median counts.
const asked = 21

// sweepTime is long enough for some sweeps.
const sweepTime = 15 * time.Second

// atRest measures what many stores cost that nothing happens to. They were made through the service, every step simulated.
func (b *bench) atRest(ctx context.Context) error {
	return b.simulated(ctx, 1, func(s *service) error {
		before, _, err := s.redisCost(ctx)
		if err != nil {
			return err
		}
		if err := s.submit(ctx, "s-", b.rest); err != nil {
			return err
		}
		after, _, err := s.redisCost(ctx)
		if err != nil {
			return err
		}
		b.note("%d stores at rest, every step simulated\n", b.rest)
		b.note("Redis: %.1f KB for a store, with its task of the last 24 hours; %.0f MB together", (after-before)/float64(b.rest)/1000, (after-before)/1e6)
		pages := s.pages()
		for _, name := range slices.Sorted(maps.Keys(pages)) {
			took, size, err := timed(ctx, pages[name])
			if err != nil {
				return err
			}
			b.note("%s: %.1f ms, %.0f KB", name, took*1000, size/1000)
		}
		return b.sweeps(ctx, s)
	})
}

// pages are what is asked for again and again.
func (s *service) pages() map[string]string {
	return map[string]string{
		"GET /stores": s.api + "/stores", "GET /stores?status=READY": s.api + "/stores?status=READY", "GET /summary": s.api + "/summary",
		"metrics of ingest": "http://" + s.admin[0] + "/metrics", "metrics of the worker": "http://" + s.admin[1] + "/metrics",
	}
}

// timed is the median time of getting what is at a URL, in seconds, and its size in bytes.
func timed(ctx context.Context, url string) (seconds, size float64, err error) {
	var took []float64
	for range asked {
		begun := time.Now()
		text, err := get(ctx, url)
		if err != nil {
			return 0, 0, err
		}
		took, size = append(took, time.Since(begun).Seconds()), float64(len(text))
	}
	return figures.Median(took), size, nil
}

// sweeps measures the worker and its sweeps while nothing happens.
func (b *bench) sweeps(ctx context.Context, s *service) error {
	const metric = "orchestrator_sweep_duration_seconds"
	before, err := s.metrics(ctx)
	if err != nil {
		return err
	}
	cpu := s.used()
	rig.Sleep(ctx, sweepTime)
	after, err := s.metrics(ctx)
	if err != nil {
		return err
	}
	count := figures.Sum(after, metric+"_count") - figures.Sum(before, metric+"_count")
	sum := figures.Sum(after, metric+"_sum") - figures.Sum(before, metric+"_sum")
	if count == 0 {
		return fmt.Errorf("the worker has not swept in %s", sweepTime)
	}
	b.note("a sweep: %.1f ms, of %.0f in %s", 1000*sum/count, count, sweepTime)
	for _, name := range []string{"worker", "redis"} {
		b.note("%s: %.1f %% of a processor, %.0f MB at most", name, 100*(s.used()[name].cpu-cpu[name].cpu)/sweepTime.Seconds(), s.used()[name].peak)
	}
	return nil
}
