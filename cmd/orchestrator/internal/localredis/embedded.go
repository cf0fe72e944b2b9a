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
	// tick is how often the embedded Redis is told that time has passed: it does not see that by itself. Its own way,
	// ClockTTL, looks at every key at every command.
	tick = time.Second
	// saveEvery is the time between snapshots. One that takes long is taken less often: it holds everything up.
	saveEvery  = 3 * time.Second
	saveFactor = 20
)

// embedded is a Redis inside this process.
type embedded struct {
	server  *miniredis.Miniredis
	client  *redis.Client
	path    string // of the snapshot
	trouble func(error)
	written [32]byte // digest of what the snapshot on disk holds

	stop chan struct{}
	done sync.WaitGroup
	once sync.Once
}

func startEmbedded(ctx context.Context, why string, o Options) (*Redis, error) {
	password := rand.Text()
	e, err := openEmbedded(ctx, filepath.Join(o.Dir, "embedded.snapshot"), password, o.Trouble)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		URL:        fmt.Sprintf("redis://:%s@%s", password, e.server.Addr()),
		Name:       "embedded in this process",
		Durability: fmt.Sprintf("accepted stores outlive restarts; a crash can cost %.0f seconds", saveEvery.Seconds()),
		stop:       e.close,
	}
	if why != "" {
		r.Name += ", since " + why
	}
	return r, nil
}

// openEmbedded starts the server with what the snapshot holds, where there is one.
func openEmbedded(ctx context.Context, path, password string, trouble func(error)) (*embedded, error) {
	server := miniredis.NewMiniRedis()
	server.RequireAuth(password)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: password, MaxRetries: -1, ReadTimeout: time.Minute, PoolSize: 1})
	e := &embedded{server: server, client: client, path: path, trouble: trouble, stop: make(chan struct{})}
	if err := restore(ctx, client, path); err != nil {
		e.shut()
		return nil, fmt.Errorf("embedded Redis: the snapshot %s cannot be read: %w; move it away to start without what it holds", path, err)
	}
	e.done.Go(e.passTime)
	e.done.Go(e.saveNowAndThen)
	return e, nil
}

// passTime lets keys expire, by the time that has really passed.
func (e *embedded) passTime() {
	ticker := time.NewTicker(tick)
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

func (e *embedded) saveNowAndThen() {
	for wait := saveEvery; ; {
		select {
		case <-e.stop:
			return
		case <-time.After(wait):
		}
		begin := time.Now()
		e.save()
		wait = max(saveEvery, saveFactor*time.Since(begin))
	}
}

// save writes a snapshot where something has changed.
func (e *embedded) save() {
	s, err := take(context.Background(), e.client)
	if err == nil {
		if digest := s.digest(); digest != e.written {
			if err = s.write(e.path); err == nil {
				e.written = digest
			}
		}
	}
	if err != nil && e.trouble != nil {
		e.trouble(fmt.Errorf("embedded Redis: the snapshot %s cannot be written: %w", e.path, err))
	}
}

// close keeps everything and ends the server.
func (e *embedded) close() {
	e.once.Do(func() {
		close(e.stop)
		e.done.Wait()
		e.save()
		e.shut()
	})
}

func (e *embedded) shut() {
	_ = e.client.Close() // a connection to ourselves
	e.server.Close()
}
