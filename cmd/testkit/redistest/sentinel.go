package redistest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const masterName = "main"

// Sentinel is a master with two replicas, watched by three sentinels.
type Sentinel struct {
	URL string

	t testing.TB
	*group
	data, sentinels []*node
}

// StartSentinel starts a set-up whose sentinels give a silent master up after five seconds.
func StartSentinel(t testing.TB) *Sentinel {
	t.Helper()
	// Not so short that a busy machine has a failover of its own: two masters at a time lose more than one that is killed.
	s, err := startSentinel(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s.t = t
	t.Cleanup(s.stop)
	return s
}

func startSentinel(patience time.Duration) (*Sentinel, error) {
	g, err := newGroup()
	if err != nil {
		return nil, err
	}
	s := &Sentinel{group: g}
	if err := s.build(patience); err != nil {
		g.stop()
		return nil, err
	}
	return s, nil
}

func (s *Sentinel) build(patience time.Duration) error {
	for i := range 3 {
		n, err := s.start(func(port int, dir string) ([]string, error) {
			if i == 0 {
				return data(port, dir), nil
			}
			return data(port, dir, "--replicaof", "127.0.0.1", strconv.Itoa(s.data[0].port)), nil
		})
		if err != nil {
			return err
		}
		s.data = append(s.data, n)
	}
	if err := within(30*time.Second, "both replicas follow", s.followed); err != nil {
		return err
	}
	hosts := []string{}
	for range 3 {
		n, err := s.start(func(port int, dir string) ([]string, error) { return s.sentinel(port, dir, patience) })
		if err != nil {
			return err
		}
		s.sentinels, hosts = append(s.sentinels, n), append(hosts, n.addr)
	}
	s.URL = "redis-sentinel://" + strings.Join(hosts, ",") + "/" + masterName
	return within(60*time.Second, "the sentinels know each other and the replicas", s.acquainted)
}

// sentinel writes the file that a sentinel goes on writing itself.
func (s *Sentinel) sentinel(port int, dir string, patience time.Duration) ([]string, error) {
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nloglevel warning\nsentinel monitor %s 127.0.0.1 %d 2\nsentinel down-after-milliseconds %s %d\n"+
		"sentinel failover-timeout %s 6000\n", port, dir, masterName, s.data[0].port, masterName, patience.Milliseconds(), masterName)
	return []string{file, "--sentinel"}, os.WriteFile(file, []byte(text), 0o600)
}

func (s *Sentinel) followed(ctx context.Context) error {
	for _, replica := range s.data[1:] {
		info, err := replica.InfoMap(ctx, "replication").Result()
		if err != nil {
			return err
		}
		if info["Replication"]["master_link_status"] != "up" {
			return errNotYet
		}
	}
	return nil
}

func (s *Sentinel) acquainted(ctx context.Context) error {
	for _, n := range s.sentinels {
		master, err := n.Do(ctx, "SENTINEL", "MASTER", masterName).Result()
		if err != nil {
			return err
		}
		fields := map[string]string{}
		for name, value := range master.(map[any]any) {
			fields[fmt.Sprint(name)] = fmt.Sprint(value)
		}
		if fields["num-slaves"] != "2" || fields["num-other-sentinels"] != "2" {
			return errNotYet
		}
	}
	return nil
}

// KillMaster ends the master as a crash does. It is not started again.
func (s *Sentinel) KillMaster() {
	s.t.Helper()
	for _, n := range s.data {
		if info, err := n.InfoMap(context.Background(), "replication").Result(); err == nil && info["Replication"]["role"] == "master" {
			n.kill()
			return
		}
	}
	s.t.Fatal("no server says that it is the master")
}
