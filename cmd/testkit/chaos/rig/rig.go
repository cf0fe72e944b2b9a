package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Token is shared by ingest, workers and the backend of a rig.
const Token = "chaos-token"

// StopTime is what a worker may take to stop: docs/operations.md says 90 seconds.
const StopTime = 90 * time.Second

// Programs are the binaries of a rig.
type Programs struct{ Services, Devcluster string }

// Rig is one installation.
type Rig struct {
	Dir     string
	API     string // URL of ingest
	Cluster *Cluster
	Redis   *Redis
	Backend *Backend
	Watch   *Watch
	Lose    Losses

	programs Programs
	env      []string
	mu       sync.Mutex
	ingest   *Process
	proxy    *RedisProxy // ingest's
	workers  []*Worker
	started  int
}

// Up starts everything but workers, in a folder of its own. What was started is ended by Down, after an error too.
func Up(ctx context.Context, programs Programs) (*Rig, error) {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return nil, err
	}
	r := &Rig{Dir: dir, Watch: NewWatch(), programs: programs}
	r.Lose.blurred = map[string]bool{}
	return r, errors.Join(os.Mkdir(filepath.Join(dir, "logs"), 0o700), r.up(ctx))
}

func (r *Rig) up(ctx context.Context) (err error) {
	if r.Backend, err = NewBackend(); err != nil {
		return err
	}
	if r.Redis, err = StartRedis(ctx, r.Dir); err != nil {
		return err
	}
	if r.Cluster, err = StartCluster(ctx, r.programs.Devcluster, r.Dir, "0s..10s"); err != nil {
		return err
	}
	if r.proxy, err = NewRedisProxy(filepath.Join(r.Dir, "ingest.sock"), r.Redis.socket, r.Lose.ofIngest, func() {}); err != nil {
		return err
	}
	addr, err := FreeAddr()
	if err != nil {
		return err
	}
	r.API = "http://" + addr
	r.env = []string{"ORCHESTRATOR_TOKEN=" + Token, "BACKEND_API_BASE=" + r.Backend.URL, "ORCH_ADDR=" + addr,
		"ORCH_INGEST_ADMIN_ADDR=127.0.0.1:0", "ORCH_WORKER_ADMIN_ADDR=127.0.0.1:0", "ORCH_QUEUE_POLL=100ms"}
	return r.StartIngest(ctx)
}

// FreeAddr is an address of this machine that nobody listens on at the moment.
func FreeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// StartIngest starts ingest and returns when it answers.
func (r *Rig) StartIngest(ctx context.Context) error {
	p, err := spec{name: "ingest", path: filepath.Join(r.programs.Services, "ingest"), log: r.log("ingest"),
		env: append(r.env, "REDIS_URL=unix://"+r.proxy.Socket)}.start()
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.ingest = p
	r.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("ingest does not answer"))
	defer cancel()
	return await(ctx, func() bool {
		resp, err := http.Get(r.API + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// KillIngest ends ingest as a crash does.
func (r *Rig) KillIngest() { r.ingest.Kill() }

func (r *Rig) log(name string) string { return filepath.Join(r.Dir, "logs", name+".log") }

// Worker is one worker and its proxies.
type Worker struct {
	*Process
	redis  *RedisProxy
	kube   *KubeProxy
	buried bool
}

// StartWorker starts one more worker. It is of use a few seconds later.
func (r *Rig) StartWorker() (*Worker, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started++
	name := fmt.Sprintf("worker-%d", r.started)
	w := &Worker{}
	var err error
	w.redis, err = NewRedisProxy(filepath.Join(r.Dir, name+".sock"), r.Redis.socket, func(words []string) Treatment {
		r.Watch.Command(name, words)
		return r.Lose.ofWorker(words)
	}, func() { r.Watch.Deaf(name) })
	if err != nil {
		return nil, err
	}
	w.kube, err = NewKubeProxy(filepath.Join(r.Dir, name+".kubeconfig"), r.Cluster.Kube, func(namespace, what string) {
		r.Watch.Wrote(name, namespace, what)
	})
	if err != nil {
		return nil, err
	}
	w.Process, err = spec{name: name, path: filepath.Join(r.programs.Services, "worker"), log: r.log(name),
		env: append(r.env, "REDIS_URL=unix://"+w.redis.Socket, "KUBECONFIG="+w.kube.Kubeconfig)}.start()
	if err != nil {
		return nil, err
	}
	r.workers = append(r.workers, w)
	return w, nil
}

// Workers returns those that have not ended, the oldest first.
func (r *Rig) Workers() []*Worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	var alive []*Worker
	for _, w := range r.workers {
		if !w.Ended() {
			alive = append(alive, w)
		}
	}
	return alive
}

// Worker returns the worker of a name, also one that has ended.
func (r *Rig) Worker(name string) *Worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		if w.Name == name {
			return w
		}
	}
	panic("rig: there is no " + name)
}

// Dead returns the workers that have ended and were not buried: nobody meant them to.
func (r *Rig) Dead() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.workers {
		if w.Ended() && !w.buried {
			names = append(names, w.Name)
		}
	}
	return names
}

// Bury closes the proxies of a worker that has ended: what it had sent is on its way no longer.
func (r *Rig) Bury(w *Worker) {
	r.mu.Lock()
	w.buried = true
	r.mu.Unlock()
	w.redis.Close()
	w.kube.Close()
	r.Watch.Gone(w.Name)
}

// Down ends every process, workers first, and removes the folder but for the logs.
func (r *Rig) Down(keepLogs bool) {
	for _, w := range r.Workers() {
		w.Signal(syscall.SIGCONT)
		w.Kill()
		r.Bury(w)
	}
	if r.ingest != nil {
		r.ingest.Kill()
	}
	if r.proxy != nil {
		r.proxy.Close()
	}
	if r.Cluster != nil {
		r.Cluster.SignalAPI(syscall.SIGCONT)
		r.removeVolumes()
		r.Cluster.Stop(30 * time.Second)
	}
	if r.Redis != nil && r.Redis.Process != nil {
		r.Redis.Kill()
	}
	if r.Backend != nil {
		r.Backend.Close()
	}
	r.removeFiles(keepLogs)
}

func (r *Rig) removeFiles(keepLogs bool) {
	if !keepLogs {
		_ = os.RemoveAll(r.Dir)
		return
	}
	_ = os.Rename(filepath.Join(r.Dir, "cluster", "logs"), filepath.Join(r.Dir, "logs", "cluster"))
	entries, _ := os.ReadDir(r.Dir)
	for _, e := range entries {
		if e.Name() != "logs" {
			_ = os.RemoveAll(filepath.Join(r.Dir, e.Name()))
		}
	}
}

// removeVolumes removes the folders that the cluster's volumes are: they are outside of its own.
func (r *Rig) removeVolumes() {
	if r.Cluster.Kube == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var list struct {
		Items []struct {
			Spec struct{ HostPath struct{ Path string } }
		}
	}
	_ = r.Cluster.Kube.Get(ctx, "/api/v1/persistentvolumes", &list) // a cluster that is away keeps its empty folders
	for _, v := range list.Items {
		if filepath.Dir(v.Spec.HostPath.Path) == "/tmp/hostpath_pv" {
			_ = os.RemoveAll(v.Spec.HostPath.Path)
		}
	}
}
