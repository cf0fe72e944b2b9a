package rig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"orchestrator/cmd/internal/process"
)

// Token is the secret that ingest, workers and the backend share.
const Token = "chaos-token"

// StopTime is what a worker may take to stop: docs/operations.md says 90 seconds.
const StopTime = 90 * time.Second

// Programs are the binaries of a rig.
type Programs struct{ Services, Devcluster string }

// Rig is one installation.
type Rig struct {
	Name     string
	Dir      string
	API      string // URL of ingest
	Clusters Clusters
	Redis    *Redis
	Backend  *Backend
	Watch    *Watch
	Lose     Losses

	programs Programs
	guest    bool // the clusters are another rig's
	settings []string
	env      []string
	mu       sync.Mutex
	ingest   *process.Process
	proxy    *RedisProxy // ingest's
	workers  []*Worker
	started  int
}

// Up starts everything but workers, in a temporary directory of its own, with some clusters and with settings (ORCH_NAME=value) for the services. Call Down also
// after an error.
func Up(ctx context.Context, programs Programs, clusters int, settings ...string) (*Rig, error) {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return nil, err
	}
	r := &Rig{Name: "chaos", Dir: dir, Watch: NewWatch(), programs: programs, settings: settings}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		return r, err
	}
	r.Clusters, err = startClusters(ctx, programs.Devcluster, dir, clusters)
	if err != nil {
		return r, err
	}
	return r, r.up(ctx)
}

// Beside starts another installation in the same clusters, with a Redis and a backend of its own. Call its Down before that of r, also
// after an error.
func (r *Rig) Beside(ctx context.Context, name string) (*Rig, error) {
	other := &Rig{Name: name, Dir: filepath.Join(r.Dir, name), Watch: NewWatch(), programs: r.programs, settings: r.settings, guest: true, Clusters: r.Clusters}
	if err := os.MkdirAll(filepath.Join(other.Dir, "logs"), 0o700); err != nil {
		return other, err
	}
	return other, other.up(ctx)
}

func (r *Rig) up(ctx context.Context) (err error) {
	r.Lose.ambiguous = map[string]bool{}
	if r.Backend, err = NewBackend(); err != nil {
		return err
	}
	if r.Redis, err = StartRedis(ctx, r.Dir); err != nil {
		return err
	}
	if r.proxy, err = NewRedisProxy(filepath.Join(r.Dir, "ingest.sock"), r.Redis.socket, r.Lose.ofIngest, func() {}); err != nil {
		return err
	}
	addr, err := process.FreeAddr()
	if err != nil {
		return err
	}
	r.API = "http://" + addr
	r.env = slices.Concat(r.settings, []string{"ORCH_INSTALLATION=" + r.Name, "ORCHESTRATOR_TOKEN=" + Token, "BACKEND_API_BASE=" + r.Backend.URL, "ORCH_ADDR=" + addr,
		"ORCH_INGEST_ADMIN_ADDR=127.0.0.1:0", "ORCH_WORKER_ADMIN_ADDR=127.0.0.1:0", "ORCH_QUEUE_POLL=100ms"})
	return r.StartIngest(ctx)
}

// Launch starts a program with variables on top of this process's environment. Its log is dir/logs/name.log.
func Launch(name, program, dir string, env ...string) (*process.Process, error) {
	return process.Start(process.Spec{Name: name, Path: program, Env: append(os.Environ(), env...), Log: filepath.Join(dir, "logs", name+".log")})
}

// StartIngest starts ingest and returns when it answers.
func (r *Rig) StartIngest(ctx context.Context) error {
	p, err := Launch("ingest", filepath.Join(r.programs.Services, "ingest"), r.Dir, append(r.env, "REDIS_URL=unix://"+r.proxy.Socket, r.Clusters.settings(func(c *Cluster) string { return c.Kubeconfig }))...)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.ingest = p
	r.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("ingest does not answer"))
	defer cancel()
	return await(ctx, func() bool { return r.answers("/healthz") })
}

// answers reports whether ingest answers with 200.
func (r *Rig) answers(path string) bool {
	resp, err := http.Get(r.API + path)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// LoseRedis takes Redis its data, and returns when ingest accepts requests again: the records are restored from the cluster then.
func (r *Rig) LoseRedis(ctx context.Context) error {
	r.Watch.RedisAway()
	defer r.Watch.RedisAway()
	r.Backend.RedisLost()
	if err := r.Redis.Lose(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the records are not restored"))
	defer cancel()
	return await(ctx, func() bool { return r.answers("/readyz") })
}

// KillIngest ends ingest as a crash does.
func (r *Rig) KillIngest() { r.ingest.Kill() }

// Worker is a worker process and its proxies.
type Worker struct {
	*process.Process
	redis   *RedisProxy
	kube    map[*Cluster]*KubeProxy
	retired bool
}

// SplitFromRedis lets nothing pass between the worker and Redis until Join.
func (w *Worker) SplitFromRedis() { w.redis.Split() }

// SplitFromAPI lets nothing pass between the worker and any API server until Join.
func (w *Worker) SplitFromAPI() {
	for _, p := range w.kube {
		p.Split()
	}
}

// Join ends every split.
func (w *Worker) Join() {
	w.redis.Join()
	for _, p := range w.kube {
		p.Join()
	}
}

// StartWorker starts one more worker. It does not wait until the worker takes tasks.
func (r *Rig) StartWorker() (*Worker, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started++
	name := fmt.Sprintf("worker-%d", r.started)
	w := &Worker{kube: map[*Cluster]*KubeProxy{}}
	var err error
	w.redis, err = NewRedisProxy(filepath.Join(r.Dir, name+".sock"), r.Redis.socket, func(words []string) Treatment {
		r.Watch.Command(name, words)
		return r.Lose.ofWorker(words)
	}, func() { r.Watch.Disconnected(name) })
	if err != nil {
		return nil, err
	}
	for _, c := range r.Clusters {
		w.kube[c], err = NewKubeProxy(filepath.Join(r.Dir, name+c.Name+".kubeconfig"), c.Kube, func(w Write) { r.Watch.Wrote(name, w) })
		if err != nil {
			return nil, err
		}
	}
	w.Process, err = Launch(name, filepath.Join(r.programs.Services, "worker"), r.Dir,
		append(r.env, "REDIS_URL=unix://"+w.redis.Socket, r.Clusters.settings(func(c *Cluster) string { return w.kube[c].Kubeconfig }))...)
	if err != nil {
		return nil, err
	}
	r.workers = append(r.workers, w)
	return w, nil
}

// Workers returns the workers that run, the oldest first.
func (r *Rig) Workers() []*Worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	var alive []*Worker
	for _, w := range r.workers {
		if !w.Exited() {
			alive = append(alive, w)
		}
	}
	return alive
}

// Worker returns a worker by its name, also one that has ended.
func (r *Rig) Worker(name string) *Worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		if w.Name == name {
			return w
		}
	}
	panic("rig: no such worker: " + name)
}

// Crashed returns the workers that have ended and were not retired: no fault ended them.
func (r *Rig) Crashed() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		if w.Exited() && !w.retired {
			names = append(names, w.Name)
		}
	}
	return names
}

// Retire closes the proxies of a worker that has ended, so that nothing it sent is still on its way.
func (r *Rig) Retire(w *Worker) {
	r.mu.Lock()
	w.retired = true
	r.mu.Unlock()
	w.redis.Close()
	for _, p := range w.kube {
		p.Close()
	}
	r.Watch.Gone(w.Name)
}

// Down ends every process, workers first, and removes the directory, except for the logs if they are to be kept.
func (r *Rig) Down(keepLogs bool) {
	for _, w := range r.Workers() {
		w.Signal(syscall.SIGCONT)
		w.Kill()
		r.Retire(w)
	}
	if r.ingest != nil {
		r.ingest.Kill()
	}
	if r.proxy != nil {
		r.proxy.Close()
	}
	if !r.guest {
		r.Clusters.stop()
	}
	if r.Redis != nil && r.Redis.Process != nil {
		r.Redis.Kill()
	}
	if r.Backend != nil {
		r.Backend.Close()
	}
	if !r.guest {
		r.removeFiles(keepLogs)
	}
}

func (r *Rig) removeFiles(keepLogs bool) {
	if !keepLogs {
		_ = os.RemoveAll(r.Dir)
		return
	}
	others, _ := filepath.Glob(filepath.Join(r.Dir, "*", "logs"))
	for _, logs := range others {
		_ = os.Rename(logs, filepath.Join(r.Dir, "logs", filepath.Base(filepath.Dir(logs))))
	}
	entries, _ := os.ReadDir(r.Dir)
	for _, e := range entries {
		if e.Name() != "logs" {
			_ = os.RemoveAll(filepath.Join(r.Dir, e.Name()))
		}
	}
}
