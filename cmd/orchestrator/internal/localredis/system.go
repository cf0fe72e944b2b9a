package localredis

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/orchestrator/internal/child"
)

// maxSocketPath is the length in bytes that a socket's path may have on every system.
const maxSocketPath = 100

// startSystem runs the system's server on a socket that only this user can open, with an append-only file.
func startSystem(ctx context.Context, s server, o Options) (*Redis, error) {
	socket, cleanUp, err := socketPath(o.Dir)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
	defer client.Close()
	c, err := o.Group.Start(ctx, child.Spec{
		Name: "redis", Path: s.path, Log: o.Log,
		Args: []string{"--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir", o.Dir,
			"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"},
		Ready:        func(ctx context.Context) error { return client.Ping(ctx).Err() }, // also an error while it loads its data
		Grace:        30 * time.Second,
		OrphanSignal: syscall.SIGTERM, // it writes its buffers first
	})
	if err != nil {
		cleanUp()
		return nil, err
	}
	return &Redis{
		URL: "unix://" + socket, Name: fmt.Sprintf("%s %s of this machine", s.name, s.version),
		Durability: "accepted requests survive crashes; a power failure can lose the last second",
		stop:       func() { c.Stop(); cleanUp() },
	}, nil
}

// socketPath returns a path in dir, or in a temporary folder if dir's path is too long for a socket.
func socketPath(dir string) (socket string, cleanUp func(), err error) {
	if socket = filepath.Join(dir, "redis.sock"); len(socket) <= maxSocketPath {
		return socket, func() {}, nil
	}
	short, err := os.MkdirTemp("", "orchestrator-redis")
	if err != nil {
		return "", nil, fmt.Errorf("create a folder for the socket of Redis: %w", err)
	}
	return filepath.Join(short, "redis.sock"), func() { _ = os.RemoveAll(short) }, nil
}
