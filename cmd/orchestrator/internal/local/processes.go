package local

import (
	"cmp"
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

// workerGrace is longer than the time a stopping worker gives its runs to end (worker.ShutdownTimeout).
const workerGrace = 2 * time.Minute

// env is this process's environment, overridden by the settings of Redis and by these variables. Secrets are passed this way
// since every user can read a command line.
func (s *Service) env(values ...string) []string {
	redis := service.Redis{URL: s.redis.URL}
	if s.redis.External {
		redis = service.RedisAt(s.redis.URL, os.Getenv)
	}
	return append(append(os.Environ(), redis.Environment()...), values...)
}

func (s *Service) startIngest(ctx context.Context) (err error) {
	s.ingest, err = s.group.Start(ctx, child.Spec{
		Name: "ingest", Path: s.program("ingest"), Log: s.Dir.Log("ingest"), Restart: true,
		Env: s.env("ORCHESTRATOR_TOKEN="+s.Secrets.Token,
			"ORCH_ADDR="+s.addresses.Ingest.hostPort, "ORCH_INGEST_ADMIN_ADDR="+s.addresses.IngestAdmin.hostPort),
		Ready: respondOK(s.addresses.Ingest.url() + "/healthz"), // it accepts nothing before the first worker
	})
	if err == nil {
		s.Print("ingest    %s", s.addresses.Ingest.url())
	}
	return err
}

func (s *Service) startWorker(ctx context.Context) (err error) {
	backend := s.Getenv("BACKEND_API_BASE")
	if s.Backend != nil {
		backend = s.addresses.Backend.url()
	}
	s.worker, err = s.group.Start(ctx, child.Spec{
		Name: "worker", Path: s.program("worker"), Log: s.Dir.Log("worker"), Restart: true, Grace: workerGrace,
		Env: s.env("ORCHESTRATOR_TOKEN="+s.Secrets.Token, "ORCH_WEBHOOK_SECRET="+s.Secrets.WebhookSecret,
			"BACKEND_API_BASE="+backend, "KUBECONFIG="+s.Kubeconfig, "ORCH_INSTALLATION="+cmp.Or(s.Getenv("ORCH_INSTALLATION"), "local"), "ORCH_WORKER_ADMIN_ADDR="+s.addresses.Worker.hostPort),
		Ready: respondOK(s.addresses.Worker.url()+"/readyz", s.addresses.Ingest.url()+"/readyz"), // by its work ingest accepts requests
	})
	if err == nil {
		s.Print("worker    %s/metrics", s.addresses.Worker.url())
	}
	return err
}

// startMonitor does nothing if the monitor was not built: stores do not need it.
func (s *Service) startMonitor(ctx context.Context) (err error) {
	if _, err := os.Stat(s.program("monitor")); err != nil {
		s.Print("monitor   not started: %s is missing", s.program("monitor"))
		return nil //nolint:nilerr // it was printed, and is not an error
	}
	s.monitor, err = s.group.Start(ctx, child.Spec{
		Name: "monitor", Path: s.program("monitor"), Log: s.Dir.Log("monitor"), Restart: true,
		Env: s.env("ORCH_MONITOR_ADDR="+s.addresses.Monitor.hostPort,
			"ORCH_MONITOR_USER="+s.Secrets.MonitorUser, "ORCH_MONITOR_PASSWORD="+s.Secrets.MonitorPassword, "ORCH_MONITOR_READ_ONLY=false"),
		Ready: respondOK(s.addresses.Monitor.url() + "/healthz"),
	})
	if err == nil {
		s.MonitorURL = s.addresses.Monitor.url()
		s.Print("monitor   %s", s.MonitorURL)
	}
	return err
}

// respondOK returns a check that every URL answers 200.
func respondOK(urls ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, url := range urls {
			if err := get(ctx, url); err != nil {
				return err
			}
		}
		return nil
	}
}

// get returns an error unless the URL answers 200.
func get(ctx context.Context, url string) error {
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
