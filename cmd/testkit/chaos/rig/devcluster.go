package rig

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"orchestrator/cmd/internal/kube"
	"orchestrator/cmd/internal/process"
)

// Cluster is a development cluster of its own.
type Cluster struct {
	*process.Process
	Name       string // "" when it is the only one
	Kube       *kube.Client
	Kubeconfig string
	dir        string
}

// StartCluster starts a development cluster whose state and log are below dir; name tells several apart. delay is how long its pods take to become
// ready: a duration such as 5s, or a range such as 0s..10s.
func StartCluster(ctx context.Context, program, dir, name, delay string) (*Cluster, error) {
	folder := "cluster" + name
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p, err := process.Start(process.Spec{Name: "devcluster", Path: program, Log: filepath.Join(dir, "logs", "dev"+folder+".log"), Stdout: in,
		Args: []string{"up", "--dir", filepath.Join(dir, folder), "--ready-delay", delay}})
	in.Close() // the child has a copy
	if err != nil {
		return nil, err
	}
	c := &Cluster{Process: p, Name: name, dir: filepath.Join(dir, folder)}
	c.Kubeconfig, err = readyLine(ctx, out)
	if err == nil {
		c.Kube, err = kube.Load(c.Kubeconfig)
	}
	if err != nil {
		c.Stop(20 * time.Second)
	}
	return c, err
}

// readyLine waits for the line that the cluster prints when it is ready.
func readyLine(ctx context.Context, out io.Reader) (string, error) {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case text := <-line:
		_, kubeconfig, found := strings.Cut(strings.TrimSpace(text), "ready KUBECONFIG=")
		if !found {
			return "", errors.New("the development cluster did not start")
		}
		return kubeconfig, nil
	}
}

// SignalAPI sends a signal to the API server. The cluster restarts it when it ends.
func (c *Cluster) SignalAPI(signal syscall.Signal) {
	text, err := os.ReadFile(filepath.Join(c.dir, "run", "kube-apiserver.pid"))
	if err != nil {
		return // it has just ended
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		_ = syscall.Kill(pid, signal)
	}
}

// awaitAPI returns when the API server answers.
func (c *Cluster) awaitAPI(ctx context.Context) error {
	return await(ctx, func() bool {
		once, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		return c.Kube.Get(once, "/version", &struct{}{}) == nil
	})
}

// await polls until holds returns true or ctx ends.
func await(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}
