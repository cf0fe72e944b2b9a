// Package local runs the whole service on one machine: Redis, a Kubernetes cluster, a stand-in backend, ingest, worker and
// monitor.
package local

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/child"
	"orchestrator/cmd/orchestrator/internal/localredis"
	"orchestrator/cmd/orchestrator/internal/state"
	api "orchestrator/ingest/client"
)

// Options say what to run and where to report it.
type Options struct {
	Dir      state.Dir // as [state.Dir.Make] returns it
	Bin      string    // the folder of the service's programs
	Redis    string    // see [localredis.Options]
	AutoPort bool      // use free ports
	StandIn  bool      // run the stand-in backend even if BACKEND_API_BASE is set
	Brief    bool      // print what was chosen, but not what it means: for a service that runs for a moment only
	Getenv   func(string) string

	Print      func(format string, args ...any) // prints a line about a part that runs now
	Warn       func(format string, args ...any) // prints a line about a failure; called from any goroutine
	OnCallback func(backend.Callback)           // called for each callback that the stand-in backend has recorded; from any goroutine
}

// Service is a running service.
type Service struct {
	API        *api.Client
	Backend    *backend.Backend // nil if BACKEND_API_BASE names another one
	Secrets    state.Secrets
	MonitorURL string // "" without a monitor
	Kubeconfig string // "" in mock mode
	OwnCluster bool   // the cluster's data is in the state folder
	OwnRedis   bool   // Redis' data is in the state folder

	Options
	addresses addresses
	group     *child.Group
	redis     *localredis.Redis
	release   func()
	// In the order in which they are stopped.
	ingest, worker, monitor *child.Child
	backendStop             func()
	devcluster              *child.Child
}

// Start runs everything and returns once ingest accepts requests. After an error nothing is left running.
func Start(ctx context.Context, o Options) (*Service, error) {
	release, err := o.Dir.Lock()
	if err != nil {
		return nil, err
	}
	s := &Service{Options: o, release: release, group: child.NewGroup(o.Warn)}
	for _, step := range []func(context.Context) error{
		s.prepare, s.startRedis, s.startCluster, s.startBackend, s.startIngest, s.startWorker, s.startMonitor, s.writeClientFile,
	} {
		if err := step(ctx); err != nil {
			s.Stop()
			return nil, err
		}
	}
	return s, nil
}

// Failed delivers the error of a part that is not restarted any more. The caller then has to stop the service.
func (s *Service) Failed() <-chan error { return s.group.Failed() }

// KillNow makes Stop send SIGKILL instead of waiting for a regular end.
func (s *Service) KillNow() { s.group.KillNow() }

// Stop stops everything in order: ingest first, Redis last.
func (s *Service) Stop() {
	s.Dir.RemoveClient()
	s.ingest.Stop()
	s.worker.Stop()
	s.monitor.Stop()
	if s.backendStop != nil {
		s.backendStop()
	}
	s.devcluster.Stop()
	s.redis.Stop()
	s.release()
}

// prepare reports missing programs and unusable addresses before anything is started.
func (s *Service) prepare(context.Context) (err error) {
	for _, name := range []string{"ingest", "worker"} {
		if _, err := os.Stat(s.program(name)); err != nil {
			return fmt.Errorf("%s is missing: build it with `go build -o %s ./cmd/...`", s.program(name), s.Bin)
		}
	}
	if s.Secrets, err = s.Dir.EnsureSecrets(s.Getenv); err != nil {
		return err
	}
	s.addresses, err = chooseAddresses(s.AutoPort, s.Getenv)
	return err
}

// announce prints what was chosen and what it means.
func (s *Service) announce(part, name, meaning string) {
	s.Print("%-9s %s", part, name)
	if !s.Brief {
		s.Print("%-9s %s", "", meaning)
	}
}

func (s *Service) program(name string) string { return filepath.Join(s.Bin, name) }

func (s *Service) startRedis(ctx context.Context) (err error) {
	s.redis, err = localredis.Start(ctx, localredis.Options{
		Want: s.Redis, URL: s.Getenv("REDIS_URL"), Dir: s.Dir.Path("redis"), Log: s.Dir.Log("redis"), Group: s.group,
		OnError: func(err error) { s.Warn("%v", err) },
	})
	if err != nil {
		return err
	}
	s.OwnRedis = !s.redis.External
	s.announce("redis", s.redis.Name, s.redis.Durability)
	if s.redis.Warning != "" {
		s.Print("          warning: %s", s.redis.Warning)
	}
	return nil
}

// startBackend runs the stand-in backend inside this process.
func (s *Service) startBackend(context.Context) (err error) {
	if base := s.Getenv("BACKEND_API_BASE"); base != "" && !s.StandIn {
		s.Print("backend   %s (BACKEND_API_BASE)", base)
		return nil
	}
	tokens := strings.Split(s.Secrets.Token, ",")
	if s.Backend, err = backend.New(backend.Config{Tokens: tokens, Secret: s.Secrets.WebhookSecret, OnCallback: s.OnCallback}); err != nil {
		return err
	}
	listener, err := service.Listen(s.addresses.Backend.variable, s.addresses.Backend.hostPort)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := service.Serve(ctx, &http.Server{Handler: s.Backend, ReadHeaderTimeout: 5 * time.Second}, listener); err != nil {
			s.Warn("the stand-in backend failed: %v", err)
		}
	}()
	s.backendStop = func() { stop(); <-ended }
	s.Print("backend   %s, a stand-in that prints the callbacks", s.addresses.Backend.url())
	return nil
}

// writeClientFile writes the URL and token by which the other commands find the service.
func (s *Service) writeClientFile(context.Context) (err error) {
	if s.API, err = api.New(s.addresses.Ingest.url(), s.Secrets.Token); err != nil {
		return err
	}
	return s.Dir.WriteClient(state.Client{URL: s.API.URL(), Token: s.Secrets.Token})
}

// Mock reports whether the cluster is simulated.
func (s *Service) Mock() bool {
	mock, _ := strconv.ParseBool(s.Getenv("ORCH_MOCK")) // the worker reports a value that is not a boolean
	return mock
}

// BackendURL is the address of the stand-in backend.
func (s *Service) BackendURL() string { return s.addresses.Backend.url() }
