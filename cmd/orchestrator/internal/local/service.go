// Package local runs the whole service on one machine: Redis, a cluster, a stand-in backend, ingest, worker and monitor.
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
	"orchestrator/cmd/orchestrator/internal/api"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/child"
	"orchestrator/cmd/orchestrator/internal/localredis"
	"orchestrator/cmd/orchestrator/internal/state"
)

// Options say what to run and whom to tell.
type Options struct {
	Dir      state.Dir // as [state.Dir.Make] returns it
	Bin      string    // the folder of the service's programs
	Redis    string    // see [localredis.Options]
	AutoPort bool
	StandIn  bool // run the stand-in backend even where BACKEND_API_BASE names another one
	Brief    bool // say what was chosen, not what that means: for a service that is soon gone
	Getenv   func(string) string

	Say     func(format string, args ...any) // a line about something that runs now
	Trouble func(format string, args ...any) // a line about something that went wrong; from any goroutine
	Told    func(backend.Callback)           // a callback that the stand-in backend has taken; from any goroutine
}

// Service is one that runs.
type Service struct {
	API        *api.Client
	Backend    *backend.Backend // nil where another backend is told
	Secrets    state.Secrets
	MonitorURL string // "" without a monitor
	Kubeconfig string // "" in mock mode
	OwnCluster bool   // it is gone with the state folder
	OwnRedis   bool

	Options
	places  places
	group   *child.Group
	redis   *localredis.Redis
	release func()
	// In the order in which they are ended.
	ingest, worker, monitor *child.Child
	backendStop             func()
	devcluster              *child.Child
}

// Start runs everything and returns when ingest takes requests. On an error nothing is left running.
func Start(ctx context.Context, o Options) (*Service, error) {
	release, err := o.Dir.Lock()
	if err != nil {
		return nil, err
	}
	s := &Service{Options: o, release: release, group: child.NewGroup(o.Trouble)}
	for _, step := range []func(context.Context) error{
		s.prepare, s.startRedis, s.startCluster, s.startBackend, s.startIngest, s.startWorker, s.startMonitor, s.leaveWay,
	} {
		if err := step(ctx); err != nil {
			s.Stop()
			return nil, err
		}
	}
	return s, nil
}

// Failed delivers the error of a part that is given up. The service is to be stopped then.
func (s *Service) Failed() <-chan error { return s.group.Failed() }

// KillNow makes Stop kill instead of ask.
func (s *Service) KillNow() { s.group.KillNow() }

// Stop ends everything in order: first what takes requests, last what keeps them.
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

// prepare finds everything that can be wrong before anything is started.
func (s *Service) prepare(context.Context) (err error) {
	for _, name := range []string{"ingest", "worker"} {
		if _, err := os.Stat(s.program(name)); err != nil {
			return fmt.Errorf("%s is missing: build it with `go build -o %s ./cmd/...`", s.program(name), s.Bin)
		}
	}
	if s.Secrets, err = s.Dir.EnsureSecrets(s.Getenv); err != nil {
		return err
	}
	s.places, err = choosePlaces(s.AutoPort, s.Getenv)
	return err
}

// choice says what was chosen and what that means.
func (s *Service) choice(part, name, meaning string) {
	s.Say("%-9s %s", part, name)
	if !s.Brief {
		s.Say("%-9s %s", "", meaning)
	}
}

func (s *Service) program(name string) string { return filepath.Join(s.Bin, name) }

func (s *Service) startRedis(ctx context.Context) (err error) {
	s.redis, err = localredis.Start(ctx, localredis.Options{
		Want: s.Redis, URL: s.Getenv("REDIS_URL"), Dir: s.Dir.Path("redis"), Log: s.Dir.Log("redis"), Group: s.group,
		Trouble: func(err error) { s.Trouble("%v", err) },
	})
	if err != nil {
		return err
	}
	s.OwnRedis = !s.redis.Given
	s.choice("redis", s.redis.Name, s.redis.Durability)
	if s.redis.Warning != "" {
		s.Say("          careful: %s", s.redis.Warning)
	}
	return nil
}

// startBackend runs the stand-in backend inside this process.
func (s *Service) startBackend(context.Context) (err error) {
	if base := s.Getenv("BACKEND_API_BASE"); base != "" && !s.StandIn {
		s.Say("backend   %s, as BACKEND_API_BASE says", base)
		return nil
	}
	tokens := strings.Split(s.Secrets.Token, ",")
	if s.Backend, err = backend.New(backend.Config{Tokens: tokens, Secret: s.Secrets.WebhookSecret, Told: s.Told}); err != nil {
		return err
	}
	listener, err := service.Listen(s.places.Backend.variable, s.places.Backend.address)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := service.Serve(ctx, &http.Server{Handler: s.Backend, ReadHeaderTimeout: 5 * time.Second}, listener); err != nil {
			s.Trouble("the stand-in backend ended: %v", err)
		}
	}()
	s.backendStop = func() { stop(); <-ended }
	s.Say("backend   %s, a stand-in that shows the callbacks", s.places.Backend.url())
	return nil
}

// leaveWay lets the other commands find the service.
func (s *Service) leaveWay(context.Context) (err error) {
	if s.API, err = api.New(s.places.Ingest.url(), s.Secrets.Token); err != nil {
		return err
	}
	return s.Dir.WriteClient(state.Client{URL: s.API.URL(), Token: s.Secrets.Token})
}

// Mock reports whether the cluster is simulated.
func (s *Service) Mock() bool {
	mock, _ := strconv.ParseBool(s.Getenv("ORCH_MOCK")) // the worker complains of what is no boolean
	return mock
}

// BackendURL is where the stand-in backend listens.
func (s *Service) BackendURL() string { return s.places.Backend.url() }
