package rig

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/internal/process"
)

// Redis is a redis-server with the durability of an installation: an append-only file, synced every second.
type Redis struct {
	*process.Process
	Client *redis.Client // not through a proxy
	dir    string
	socket string
	clock  clock
}

// StartRedis starts a server whose data and log are below dir.
func StartRedis(ctx context.Context, dir string) (*Redis, error) {
	r := &Redis{dir: dir, socket: filepath.Join(dir, "redis.sock")}
	r.Client = redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket, MaxRetries: -1, ReadTimeout: 2 * time.Second})
	var err error
	if r.clock, err = newClock(ctx, dir); err != nil {
		return r, err
	}
	return r, r.Start(ctx)
}

// ShiftClock sets by how much the server's clock is wrong.
func (r *Redis) ShiftClock(by time.Duration) error { return r.clock.shift(by) }

// Start starts the server with the data that it had, and returns when it answers.
func (r *Redis) Start(ctx context.Context) error {
	p, err := process.Start(process.Spec{Name: "redis", Path: "redis-server", Log: filepath.Join(r.dir, "logs", "redis.log"),
		Env: append(os.Environ(), r.clock.env()...),
		Args: []string{"--port", "0", "--unixsocket", r.socket, "--dir", r.dir, "--save", "", "--appendonly", "yes",
			"--appendfsync", "everysec", "--maxmemory-policy", "noeviction"}})
	if err != nil {
		return err
	}
	r.Process = p
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return await(ctx, func() bool { return r.Client.Ping(ctx).Err() == nil })
}

// Lose ends the server as a crash does, and starts it without the data that it had.
func (r *Redis) Lose(ctx context.Context) error {
	r.Kill()
	if err := os.RemoveAll(filepath.Join(r.dir, "appendonlydir")); err != nil {
		return err
	}
	return r.Start(ctx)
}

// Stores returns the stores that the server has a record of.
func (r *Redis) Stores(ctx context.Context) (ids []string, err error) {
	const prefix = "{orch}:store:"
	keys := r.Client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		ids = append(ids, strings.TrimPrefix(keys.Val(), prefix))
	}
	return ids, keys.Err()
}

// Pause pauses the server for a while.
func (r *Redis) Pause(ctx context.Context, d time.Duration) {
	r.Signal(syscall.SIGSTOP)
	Sleep(ctx, d)
	r.Signal(syscall.SIGCONT)
}

// Sleep waits, and reports false if ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
