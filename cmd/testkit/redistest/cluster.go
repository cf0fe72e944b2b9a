package redistest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/internal/process"
)

const slots, masters = 16384, 3

// Cluster is a Redis Cluster of three masters. It needs Redis 7.
type Cluster struct {
	URL string

	t testing.TB
	*group
}

// StartCluster starts a cluster whose masters have one replica each, which give a silent master up after five seconds.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c, err := startCluster(5*time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	c.t = t
	t.Cleanup(c.stop)
	return c
}

func startCluster(patience time.Duration, replicas int) (*Cluster, error) {
	g, err := newGroup()
	if err != nil {
		return nil, err
	}
	c := &Cluster{group: g}
	if err := c.build(patience, replicas); err != nil {
		g.stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) build(patience time.Duration, replicas int) error {
	buses, hosts := []int{}, []string{}
	for range masters * (1 + replicas) {
		bus, err := process.FreePort()
		if err != nil {
			return err
		}
		n, err := c.start(func(port int, dir string) ([]string, error) {
			return data(port, dir, "--cluster-enabled", "yes", "--cluster-config-file", filepath.Join(dir, "nodes.conf"), "--cluster-port", strconv.Itoa(bus),
				"--cluster-node-timeout", strconv.FormatInt(patience.Milliseconds(), 10)), nil
		})
		if err != nil {
			return err
		}
		buses, hosts = append(buses, bus), append(hosts, n.addr)
	}
	c.URL = "redis-cluster://" + strings.Join(hosts[:masters], ",")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.meet(ctx, buses); err != nil {
		return err
	}
	if err := within(time.Minute, "all nodes are known and all slots served", c.formed); err != nil {
		return err
	}
	return c.replicate(ctx)
}

// meet gives each master its slots and an epoch of its own, and makes all nodes known to the first.
func (c *Cluster) meet(ctx context.Context, buses []int) error {
	var errs []error
	for i, n := range c.nodes {
		errs = append(errs, n.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i < masters {
			errs = append(errs, n.ClusterAddSlotsRange(ctx, i*slots/masters, (i+1)*slots/masters-1).Err())
		}
		if i > 0 {
			errs = append(errs, c.nodes[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", n.port, buses[i]).Err())
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) formed(ctx context.Context) error {
	for _, n := range c.nodes {
		info, err := n.ClusterInfo(ctx).Result()
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r\n", len(c.nodes))) {
			return errNotYet
		}
	}
	return nil
}

// replicate makes the nodes behind the masters replicas, one of each.
func (c *Cluster) replicate(ctx context.Context) error {
	for i, n := range c.nodes[masters:] {
		id, err := c.nodes[i].ClusterMyID(ctx).Result()
		if err != nil {
			return err
		}
		if err := n.ClusterReplicate(ctx, id).Err(); err != nil {
			return err
		}
	}
	return within(time.Minute, "the replicas follow", func(ctx context.Context) error {
		for _, n := range c.nodes[masters:] {
			info, err := n.InfoMap(ctx, "replication").Result()
			if err != nil {
				return err
			}
			if info["Replication"]["master_link_status"] != "up" {
				return errNotYet
			}
		}
		return nil
	})
}

// KillMasterOf ends the master that serves a key, as a crash does. It is not started again.
func (c *Cluster) KillMasterOf(key string) {
	c.t.Helper()
	slot, err := c.nodes[0].ClusterKeySlot(context.Background(), key).Result()
	if err != nil {
		c.t.Fatal(err)
	}
	for i, n := range c.nodes[:masters] {
		if int(slot) >= i*slots/masters && int(slot) < (i+1)*slots/masters {
			n.kill()
			begun := time.Now()
			err := within(time.Minute, "a replica takes the place", func(ctx context.Context) error {
				info, err := c.nodes[i+masters].InfoMap(ctx, "replication").Result()
				if err == nil && info["Replication"]["role"] != "master" {
					err = errNotYet
				}
				return err
			})
			if err != nil {
				c.t.Fatal(err)
			}
			c.t.Logf("a replica took the place after %s", time.Since(begun).Round(time.Millisecond))
			return
		}
	}
}
