package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// cost is what Redis holds and has done.
type cost struct{ bytes, commands float64 }

func (s *service) redisCost(ctx context.Context) (c cost, err error) {
	memory, err := s.redis.Client.Info(ctx, "memory").Result()
	if err != nil {
		return c, err
	}
	stats, err := s.redis.Client.Info(ctx, "stats").Result()
	// The dataset alone: the rest is buffers of connections, which do not grow with stores.
	return cost{bytes: field(memory, "used_memory_dataset:"), commands: field(stats, "total_commands_processed:")}, err
}

// field is the number after a name, in a text of lines; 0 when there is none.
func field(text, name string) float64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name); ok {
			words := strings.Fields(value)
			if len(words) == 0 {
				return 0
			}
			n, _ := strconv.ParseFloat(words[0], 64)
			return n
		}
	}
	return 0
}

// resident is a figure of /proc/<pid>/status, of all workers together, in MiB.
func (s *service) resident(name string) (mib float64) {
	for _, w := range s.workers {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.PID()))
		if err == nil {
			mib += field(string(text), name+":") / 1024
		}
	}
	return mib
}

// cpu is the processor time that the workers have used, in seconds.
func (s *service) cpu() (seconds float64) {
	for _, w := range s.workers {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.PID()))
		if err == nil {
			seconds += cpuOf(string(text))
		}
	}
	return seconds
}

// cpuOf reads user and system time, in hundredths of a second, behind the name of the program, which may have spaces.
func cpuOf(stat string) float64 {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// requests counts what the API server has answered, by verb, without its own components' leases and watches.
func requests(metrics string) map[string]float64 {
	counts := map[string]float64{}
	for line := range strings.Lines(metrics) {
		labels, ok := strings.CutPrefix(line, "apiserver_request_total{")
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(labels, "} ")
		n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
		counts[label(labels, "verb")] += n
	}
	return counts
}

func label(labels, name string) string {
	_, rest, _ := strings.Cut(labels, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
