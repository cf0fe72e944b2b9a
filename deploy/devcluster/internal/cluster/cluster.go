// Package cluster runs a Kubernetes control plane, simulated nodes and the stand-in shop as processes of this program, all on
// loopback and all with their state in one folder.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"orchestrator/deploy/devcluster/internal/stages"
	"orchestrator/deploy/devcluster/internal/state"
	"orchestrator/deploy/devcluster/internal/supervise"
)

// Options say what to run. All but Kubernetes are needed.
type Options struct {
	Dir                string
	ReadyMin, ReadyMax time.Duration // how long a simulated pod takes to become ready
	NodeCount          int
	Quiet              bool      // no progress; ended processes and errors are still reported
	Out, Log           io.Writer // the ready line; everything else
	Exe                string    // this program, which is also every component
	Kubernetes         string    // a program that is the control plane's components instead; may be empty
}

type cluster struct {
	Options
	exe       string
	nodeCount int
	dir       state.Dir
	ports     state.Ports
	api       *api
	sup       *supervise.Supervisor
	saying    sync.Mutex // lines come from many goroutines
}

// Up starts the cluster, prints the ready line, and keeps the cluster running until ctx ends, which is no error. A close of
// killNow at any time ends everything at once.
func Up(ctx context.Context, o Options, killNow <-chan struct{}) error {
	dir, err := state.Create(o.Dir)
	if err != nil {
		return err
	}
	lock, err := dir.Acquire()
	if err != nil {
		return err
	}
	defer lock.Release() // last: the folder is free when everything has ended
	c := &cluster{Options: o, exe: o.Exe, nodeCount: o.NodeCount, dir: dir}
	if err := c.prepare(); err != nil {
		return err
	}
	return c.run(ctx, killNow)
}

// prepare writes everything that the processes read.
func (c *cluster) prepare() error {
	killed, err := c.dir.ReapStale()
	if err != nil {
		return err
	}
	for _, name := range killed {
		c.say("%s of an earlier run was still there and is killed", name)
	}
	if err := c.dir.TurnLogs(); err != nil {
		return err
	}
	if c.ports, err = c.dir.ChoosePorts(); err != nil {
		return err
	}
	if err := c.dir.EnsureKeys(); err != nil {
		return err
	}
	token, err := c.dir.EnsureToken()
	if err != nil {
		return err
	}
	if err := c.dir.WriteKubeconfig(c.ports, token); err != nil {
		return err
	}
	if c.api, err = newAPI(c.ports.Address(state.APIServer), token, c.dir.Path("pki", "ca.crt")); err != nil {
		return err
	}
	c.sup = supervise.New(c.progress, c.say)
	return c.writeFiles()
}

func (c *cluster) writeFiles() error {
	podLog := c.dir.Path("kwok", "pod.log")
	config, err := stages.Config(stages.Settings{
		ReadyMin: c.ReadyMin, ReadyMax: c.ReadyMax, ShopPort: c.ports[state.Shop], PodLog: podLog,
	})
	if err != nil {
		return err
	}
	for path, text := range map[string]string{
		c.dir.Path("kwok", "stages.yaml"): config,
		c.dir.Path("shop-admin"):          "http://" + c.ports.Address(state.ShopAdmin) + "\n",
		podLog:                            time.Now().UTC().Format(time.RFC3339Nano) + " stdout F this pod is simulated: nothing runs in it\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// run starts everything, waits, and ends everything however it was left.
func (c *cluster) run(ctx context.Context, killNow <-chan struct{}) error {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-killNow:
			c.sup.Kill()
		case <-ended:
		}
	}()
	defer c.stop()

	begin := time.Now()
	if err := c.start(ctx, begin); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while starting
		}
		return err
	}
	c.progress("usable after %.1f s", time.Since(begin).Seconds())
	fmt.Fprintf(c.Out, "ready KUBECONFIG=%s\n", c.dir.Kubeconfig())
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.sup.Failed():
		return err
	}
}

func (c *cluster) start(ctx context.Context, begin time.Time) error {
	if err := c.startTogether(ctx, c.etcd(), c.shop()); err != nil {
		return err
	}
	if err := c.startTogether(ctx, c.apiServer()); err != nil {
		return err
	}
	if err := c.createObjects(ctx); err != nil {
		return err
	}
	if err := c.startTogether(ctx, c.kwok(), c.controllerManager(), c.scheduler()); err != nil {
		return err
	}
	return c.awaitUsable(ctx, begin)
}

// startTogether starts the components beside each other and returns when all are ready or have failed.
func (c *cluster) startTogether(ctx context.Context, components ...component) error {
	results := make(chan error)
	for _, comp := range components {
		go func() { results <- c.sup.Start(ctx, c.process(comp)) }()
	}
	var failed []error
	for range components {
		failed = append(failed, <-results)
	}
	return errors.Join(failed...)
}

// stop ends clients before servers, so that nothing complains and nothing is lost.
func (c *cluster) stop() {
	c.progress("stopping")
	c.sup.Stop(Scheduler, ControllerManager, Kwok, Shop)
	c.sup.Stop(APIServer)
	c.sup.Stop(Etcd)
	c.progress("stopped")
}

func (c *cluster) progress(format string, args ...any) {
	if !c.Quiet {
		c.say(format, args...)
	}
}

func (c *cluster) say(format string, args ...any) {
	c.saying.Lock()
	defer c.saying.Unlock()
	fmt.Fprintf(c.Log, "devcluster: "+format+"\n", args...)
}

func port(ports state.Ports, name string) string { return strconv.Itoa(ports[name]) }
