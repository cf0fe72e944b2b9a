package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"orchestrator/cmd/internal/process"
	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/chaos/rig"
)

// service is one installation: a Redis, ingest, workers and a backend that records callbacks.
type service struct {
	dir, api string
	bin      string
	env      []string
	patience time.Duration
	redis    *rig.Redis
	ingest   *process.Process
	workers  []*process.Process
	admin    []string // addresses of the metrics of ingest and of each worker
	backend  *backend
}

const token = "bench-token"

// start brings up everything but workers. What was started is to be stopped after an error too.
func (b *bench) start(ctx context.Context, env ...string) (*service, error) {
	s := &service{bin: b.bin, patience: b.patience}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return s, err
	}
	s.dir = dir
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		return s, err
	}
	if s.backend, err = startBackend(); err != nil {
		return s, err
	}
	if s.redis, err = rig.StartRedis(ctx, dir); err != nil {
		return s, err
	}
	addr, err := process.FreeAddr()
	if err != nil {
		return s, err
	}
	s.api = "http://" + addr
	s.env = append(env, "ORCH_INSTALLATION=bench", "REDIS_URL=unix://"+s.socket(), "ORCHESTRATOR_TOKEN="+token, "ORCH_ADDR="+addr,
		"BACKEND_API_BASE="+s.backend.url, "ORCH_LOG_LEVEL=warn")
	s.ingest, err = s.launch("ingest", "ingest", "ORCH_INGEST_ADMIN_ADDR")
	return s, err
}

func (s *service) socket() string { return filepath.Join(s.dir, "redis.sock") }

// launch starts a program; variable is what its admin address is set by.
func (s *service) launch(name, program, variable string) (*process.Process, error) {
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	s.admin = append(s.admin, addr)
	return rig.Launch(name, filepath.Join(s.bin, program), s.dir, append(s.env, variable+"="+addr)...)
}

func (s *service) startWorkers(n int) error {
	for range n {
		w, err := s.launch(fmt.Sprint("worker-", len(s.admin)), "worker", "ORCH_WORKER_ADMIN_ADDR")
		if err != nil {
			return err
		}
		s.workers = append(s.workers, w)
	}
	return nil
}

func (s *service) stopWorkers() {
	for _, w := range s.workers {
		w.Signal(syscall.SIGTERM)
	}
	for _, w := range s.workers {
		w.Exits(rig.StopTime)
	}
	s.workers, s.admin = nil, s.admin[:min(len(s.admin), 1)]
}

func (s *service) stop() {
	s.stopWorkers()
	if s.ingest != nil {
		s.ingest.Kill()
	}
	if s.redis != nil && s.redis.Process != nil {
		s.redis.Client.Close()
		s.redis.Kill()
	}
	if s.backend != nil {
		s.backend.close()
	}
	_ = os.RemoveAll(s.dir) // what is left is in the temporary directory
}

// ready waits until requests are accepted: some worker has seen that the records are complete.
func (s *service) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errors.New("ingest accepts nothing"))
	defer cancel()
	for {
		resp, err := http.Get(s.api + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if !rig.Sleep(ctx, 50*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// metrics returns those of all workers, one after the other.
func (s *service) metrics(ctx context.Context) (string, error) {
	var all strings.Builder
	for _, addr := range s.admin[1:] {
		text, err := get(ctx, "http://"+addr+"/metrics")
		if err != nil {
			return "", fmt.Errorf("read the metrics of a worker: %w", err)
		}
		all.WriteString(text)
	}
	return all.String(), nil
}

// get returns what is at a URL of the service.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Orchestrator-Token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, resp.Status, text)
	}
	return string(text), err
}

// used is what each kind of process has used.
func (s *service) used() map[string]usage {
	all := map[string]usage{"ingest": usageOf(s.ingest.PID()), "redis": usageOf(s.redis.PID())}
	for _, w := range s.workers {
		u := usageOf(w.PID())
		all["worker"] = usage{all["worker"].cpu + u.cpu, all["worker"].peak + u.peak}
	}
	return all
}

// resident is the memory of the workers now, all together, in MB.
func (s *service) resident() (mb float64) {
	for _, w := range s.workers {
		mb += resident(w.PID())
	}
	return mb
}

// redisCost is what Redis holds, in bytes, and how many commands it has executed. What it holds is the dataset alone: the rest is buffers of
// connections, which do not grow with stores.
func (s *service) redisCost(ctx context.Context) (bytes, commands float64, err error) {
	memory, err := s.redis.Client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, 0, err
	}
	stats, err := s.redis.Client.Info(ctx, "stats").Result()
	return figures.Field(memory, "used_memory_dataset:"), figures.Field(stats, "total_commands_processed:"), err
}
