package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/monitor/internal/live"
	"orchestrator/cmd/monitor/internal/login"
	"orchestrator/cmd/monitor/internal/pages"
	"orchestrator/cmd/monitor/internal/queues"
	"orchestrator/provision"
	"orchestrator/provision/engine"
	"orchestrator/worker/intake"
	"orchestrator/worker/queue"
	"orchestrator/worker/record"
)

// maxBody is far more than the pages send, for the largest selection of tasks.
const maxBody = 1 << 20

// taskPath is where asynq's UI shows the task of a store's newest generation.
func taskPath(s provision.State) string {
	base := queue.QueueProvision
	if s.Action == provision.OpDelete {
		base = queue.QueueDelete
	}
	return queues.Root + "/queues/" + queue.On(base, cmp.Or(s.Cluster, provision.DefaultCluster)) + "/tasks/" + s.TaskID
}

// newHandler returns the pages, and the hub that keeps them live. The caller has to close the client.
func newHandler(c config, client redis.UniversalClient, log *slog.Logger) (http.Handler, *live.Hub, error) {
	users, err := c.users(log)
	if err != nil {
		return nil, nil, err
	}
	records := record.New(client, record.Options{Placement: provision.Placement{Clusters: c.Clusters.Clusters}})
	site, err := pages.New(pages.Config{
		Stores: records.Requests, Clusters: records.Requests, Fleet: records.Fleet, Letters: records.Callbacks, Rollouts: records.Rollouts, Counts: counts{records.Stats, clusterNames(c.Clusters.Clusters)},
		Actions: actions{&intake.Intake{Records: records, Tasks: queue.NewTasks(client), GenerationTimeout: c.Deadline, Log: log}, records},
		Engines: engine.Names(), TaskPath: taskPath, Log: log,
	})
	if err != nil {
		return nil, nil, err
	}
	gate, hub := login.NewGate(users, c.SessionKey, c.proxy(), site.LoginForm, log), live.New(records.Events, site.Changed, log)

	inside := http.NewServeMux()
	inside.Handle(queues.Root+"/", queues.New(client, log))
	inside.Handle("GET /live", hub)
	site.Routes(inside)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /static/", pages.Static())
	mux.HandleFunc("GET /login", gate.Form)
	mux.HandleFunc("POST /login", gate.Submit)
	mux.HandleFunc("POST /logout", gate.Logout)
	mux.Handle("/", gate.Require(inside))
	// Browsers send the cookie with requests of other sites too, so changes that come from another site are refused.
	return http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(mux, maxBody)), hub, nil
}
