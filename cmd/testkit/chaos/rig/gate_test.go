package rig

import (
	"bufio"
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
)

// While the network is split a command is neither seen nor answered; it arrives late, when its caller has given up.
func TestRedisProxySplit(t *testing.T) {
	options, err := redis.ParseURL(redistest.Real(t))
	if err != nil {
		t.Fatal(err)
	}
	socket, seen := filepath.Join(t.TempDir(), "p"), make(chan string, 10)
	proxy, err := NewRedisProxy(socket, options.Addr, func(words []string) Treatment { seen <- words[0]; return Pass }, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1, ReadTimeout: 200 * time.Millisecond, ContextTimeoutEnabled: true})
	defer client.Close()
	ctx := context.Background()
	if err := client.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	for len(seen) > 0 {
		<-seen
	}
	proxy.Split()
	proxy.Split()
	var timeout net.Error
	if err := client.Incr(ctx, "n").Err(); !errors.As(err, &timeout) || !timeout.Timeout() || len(seen) > 0 {
		t.Errorf("answered with %v, %d commands passed a network that is split", err, len(seen))
	}
	proxy.Join()
	if word := <-seen; word != "incr" {
		t.Errorf("afterwards %s arrives", word)
	}
}

// What was held by a split network breaks its connection once the split is over; a connection on which nothing was said lives on.
func TestGatedConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name   string
			spoken bool
		}{{"a request", true}, {"silence", false}} {
			far, near := net.Pipe()
			var g gate
			conn := gatedConn{near, &g}
			read := make(chan error, 1)
			go func() { _, err := bufio.NewReader(conn).ReadByte(); read <- err }()
			synctest.Wait()
			g.close()
			if c.spoken {
				go func() { _, _ = far.Write([]byte("x")) }()
			}
			synctest.Wait()
			if len(read) > 0 {
				t.Errorf("%s: it passed a network that is split", c.name)
			}
			g.open()
			if !c.spoken {
				go func() { _, _ = far.Write([]byte("x")) }()
			}
			if err := <-read; (err != nil) != c.spoken {
				t.Errorf("%s: afterwards the error is %v", c.name, err)
			}
			far.Close()
			near.Close()
		}
	})
}
