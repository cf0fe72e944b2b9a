package local

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/orchestrator/internal/child"
)

// workerGrace is longer than a worker's own limit for letting its runs end (worker.ShutdownTimeout).
const workerGrace = 2 * time.Minute

// env is this process's environment with the way to Redis and these variables over it. Secrets go this way, since an argv is seen by all.
func (s *Service) env(values ...string) []string {
	redis := service.Redis{URL: s.redis.URL}
	if s.redis.Given {
		redis = service.RedisAt(s.redis.URL, os.Getenv)
	}
	return append(append(os.Environ(), redis.Environment()...), values...)
}

func (s *Service) startIngest(ctx context.Context) (err error) {
	s.ingest, err = s.group.Start(ctx, child.Spec{
		Name: "ingest", Path: s.program("ingest"), Log: s.Dir.Log("ingest"), Restart: true,
		Env: s.env("ORCHESTRATOR_TOKEN="+s.Secrets.Token,
			"ORCH_ADDR="+s.places.Ingest.address, "ORCH_INGEST_ADMIN_ADDR="+s.places.IngestAdmin.address),
		Ready: answers(s.places.Ingest.url() + "/readyz"),
	})
	if err == nil {
		s.Say("ingest    %s", s.places.Ingest.url())
	}
	return err
}

func (s *Service) startWorker(ctx context.Context) (err error) {
	backend := s.Getenv("BACKEND_API_BASE")
	if s.Backend != nil {
		backend = s.places.Backend.url()
	}
	s.worker, err = s.group.Start(ctx, child.Spec{
		Name: "worker", Path: s.program("worker"), Log: s.Dir.Log("worker"), Restart: true, Grace: workerGrace,
		Env: s.env("ORCHESTRATOR_TOKEN="+s.Secrets.Token, "ORCH_WEBHOOK_SECRET="+s.Secrets.WebhookSecret,
			"BACKEND_API_BASE="+backend, "KUBECONFIG="+s.Kubeconfig, "ORCH_WORKER_ADMIN_ADDR="+s.places.Worker.address),
		Ready: answers(s.places.Worker.url() + "/readyz"),
	})
	if err == nil {
		s.Say("worker    %s/metrics", s.places.Worker.url())
	}
	return err
}

// startMonitor goes on without a monitor where there is none: stores do not need it.
func (s *Service) startMonitor(ctx context.Context) (err error) {
	if _, err := os.Stat(s.program("monitor")); err != nil {
		s.Say("monitor   not started: %s is missing", s.program("monitor"))
		return nil //nolint:nilerr // said, and no error
	}
	s.monitor, err = s.group.Start(ctx, child.Spec{
		Name: "monitor", Path: s.program("monitor"), Log: s.Dir.Log("monitor"), Restart: true,
		Env: s.env("ORCH_MONITOR_ADDR="+s.places.Monitor.address,
			"ORCH_MONITOR_USER="+s.Secrets.MonitorUser, "ORCH_MONITOR_PASSWORD="+s.Secrets.MonitorPassword),
		Ready: answers(s.places.Monitor.url() + "/healthz"),
	})
	if err == nil {
		s.MonitorURL = s.places.Monitor.url()
		s.Say("monitor   %s", s.MonitorURL)
	}
	return err
}

// answers asks a URL for 200.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
			return fmt.Errorf("%s answers %s %s", url, resp.Status, strings.TrimSpace(string(text)))
		}
		return nil
	}
}
