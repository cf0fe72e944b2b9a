package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/process"
)

// group is some processes that belong together, each on a port of loopback and with a folder of its own.
type group struct {
	dir   string
	nodes []*node
}

type node struct {
	*instance
	port int
	*redis.Client
}

func newGroup() (*group, error) {
	dir, err := os.MkdirTemp("", "redis")
	return &group{dir: dir}, err
}

// start adds a process. args gets the port and the folder.
func (g *group) start(args func(port int, dir string) ([]string, error)) (*node, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(g.dir, strconv.Itoa(port))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	words, err := args(port, dir)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	n := &node{instance: &instance{network: "tcp", addr: addr, args: words}, port: port, Client: redis.NewClient(&redis.Options{Addr: addr})}
	if err := n.instance.start(); err != nil {
		n.Close()
		return nil, err
	}
	g.nodes = append(g.nodes, n)
	return n, nil
}

// data is how a server with data is started: it keeps nothing, and replicas join without waiting for more of them.
func data(port int, dir string, more ...string) []string {
	return append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no",
		"--repl-diskless-sync-delay", "0", "--loglevel", "warning"}, more...)
}

// stop ends all. It returns when they are gone.
func (g *group) stop() {
	for _, n := range g.nodes {
		n.Close()
		n.kill()
	}
	os.RemoveAll(g.dir)
}

// within waits until something holds.
func within(limit time.Duration, what string, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s: %w", limit, what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errNotYet = errors.New("not yet")
