package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"orchestrator/cmd/testkit/bench/figures"
)

// ingest measures how fast requests are accepted while no worker takes anything, beside asynq's client alone on the same Redis.
func (b *bench) ingest(ctx context.Context) error {
	b.note("%d requests, %d at a time, no worker; %d rounds\n", b.mock, callers, b.rounds)
	return b.simulated(ctx, 1, func(s *service) error {
		s.stopWorkers()
		table := figures.NewTable("asynq's client", "ingest")
		for round := range b.rounds {
			bare, err := b.bareEnqueue(ctx, s, fmt.Sprintf("bare-%d-", round))
			if err != nil {
				return err
			}
			cpu, begun := s.used(), time.Now()
			if err := s.post(ctx, fmt.Sprintf("s-%d-", round), b.mock); err != nil {
				return err
			}
			took, n := time.Since(begun).Seconds(), float64(b.mock)
			table.Add("asynq's client", []figures.Row{{Name: "requests/s", Value: bare}})
			table.Add("ingest", []figures.Row{{Name: "requests/s", Value: n / took}, {Name: "CPU-ms/request of ingest", Value: 1000 * (s.used()["ingest"].cpu - cpu["ingest"].cpu) / n, Digits: 2}})
		}
		table.Write(b.out)
		return nil
	})
}

// bareEnqueue is how many tasks a second asynq's client enqueues.
func (b *bench) bareEnqueue(ctx context.Context, s *service, prefix string) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "enqueue", "--socket", s.socket(), "--prefix", prefix, "-n", strconv.Itoa(b.mock), "-c", strconv.Itoa(callers))
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("bench enqueue: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
}
