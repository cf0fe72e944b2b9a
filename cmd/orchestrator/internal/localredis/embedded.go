package localredis

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

const (
	// clockInterval is how often the clock of the embedded Redis, which does not run by itself, is advanced. Its option
	// ClockTTL would check every key at every command.
	clockInterval = time.Second
	// saveInterval is the time between snapshots. It grows with the duration of a snapshot, which blocks all commands.
	saveInterval = 3 * time.Second
	saveFactor   = 20
)

// embedded is a Redis inside this process.
type embedded struct {
	server  *miniredis.Miniredis
	client  *redis.Client
	path    string // of the snapshot
	onError func(error)
	written [32]byte // digest of what the snapshot on disk holds

	stop chan struct{}
	done sync.WaitGroup
	once sync.Once
}

func startEmbedded(ctx context.Context, why string, o Options) (*Redis, error) {
	password := rand.Text()
	e, err := openEmbedded(ctx, filepath.Join(o.Dir, "embedded.snapshot"), password, o.OnError)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		URL:        fmt.Sprintf("redis://:%s@%s", password, e.server.Addr()),
		Name:       "embedded in this process",
		Durability: fmt.Sprintf("accepted requests survive restarts; a crash can lose the last %.0f seconds", saveInterval.Seconds()),
		stop:       e.close,
	}
	if why != "" {
		r.Name += ", because " + why
	}
	return r, nil
}

// openEmbedded starts the server with the content of the snapshot, if there is one.
func openEmbedded(ctx context.Context, path, password string, onError func(error)) (*embedded, error) {
	server := miniredis.NewMiniRedis()
	server.RequireAuth(password)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: password, MaxRetries: -1, ReadTimeout: time.Minute, PoolSize: 1})
	e := &embedded{server: server, client: client, path: path, onError: onError, stop: make(chan struct{})}
	if err := restore(ctx, client, path); err != nil {
		e.shutdown()
		return nil, fmt.Errorf("the snapshot %s of the embedded Redis cannot be read: %w; to start without its data, move it away", path, err)
	}
	e.done.Go(e.advanceClock)
	e.done.Go(e.saveLoop)
	return e, nil
}

// advanceClock lets keys expire by the time that has passed.
func (e *embedded) advanceClock() {
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-e.stop:
			return
		case now := <-ticker.C:
			e.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (e *embedded) saveLoop() {
	for wait := saveInterval; ; {
		select {
		case <-e.stop:
			return
		case <-time.After(wait):
		}
		begin := time.Now()
		e.save()
		wait = max(saveInterval, saveFactor*time.Since(begin))
	}
}

// save writes a snapshot if something has changed.
func (e *embedded) save() {
	s, err := takeSnapshot(context.Background(), e.client)
	if err == nil {
		if digest := s.digest(); digest != e.written {
			if err = s.write(e.path); err == nil {
				e.written = digest
			}
		}
	}
	if err != nil && e.onError != nil {
		e.onError(fmt.Errorf("the snapshot %s of the embedded Redis cannot be written: %w", e.path, err))
	}
}

// close writes a last snapshot and stops the server.
func (e *embedded) close() {
	e.once.Do(func() {
		close(e.stop)
		e.done.Wait()
		e.save()
		e.shutdown()
	})
}

func (e *embedded) shutdown() {
	_ = e.client.Close() // a connection within this process
	e.server.Close()
}
