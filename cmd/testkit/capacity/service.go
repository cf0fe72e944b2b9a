package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"orchestrator/cmd/internal/process"
	"orchestrator/cmd/testkit/chaos/rig"
)

// service is one installation: a Redis, ingest, workers and a backend that counts callbacks.
type service struct {
	dir, api string
	bin      string
	env      []string
	redis    *rig.Redis
	ingest   *process.Process
	workers  []*process.Process
	backend  *backend
}

const token = "capacity-token"

// start brings up everything but workers. What was started is to be stopped after an error too.
func start(ctx context.Context, o options, env ...string) (*service, error) {
	s := &service{bin: o.bin}
	dir, err := os.MkdirTemp("", "capacity")
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
	s.env = append(env, "ORCH_INSTALLATION=capacity", "REDIS_URL=unix://"+filepath.Join(dir, "redis.sock"), "ORCHESTRATOR_TOKEN="+token, "ORCH_ADDR="+addr,
		"BACKEND_API_BASE="+s.backend.url, "ORCH_INGEST_ADMIN_ADDR=127.0.0.1:0", "ORCH_WORKER_ADMIN_ADDR=127.0.0.1:0", "ORCH_LOG_LEVEL=warn")
	s.ingest, err = rig.Launch("ingest", filepath.Join(s.bin, "ingest"), dir, s.env...)
	return s, err
}

func (s *service) startWorkers(n int) error {
	for i := range n {
		w, err := rig.Launch(fmt.Sprintf("worker-%d", i), filepath.Join(s.bin, "worker"), s.dir, s.env...)
		if err != nil {
			return err
		}
		s.workers = append(s.workers, w)
	}
	return nil
}

func (s *service) stop() {
	for _, w := range s.workers {
		w.Signal(syscall.SIGTERM)
	}
	for _, w := range s.workers {
		w.Exits(rig.StopTime)
	}
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

// ready waits until requests are accepted: some worker has seen that the records are whole.
func (s *service) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("ingest accepts nothing"))
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
