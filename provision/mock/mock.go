// Package mock simulates a cluster: every step succeeds after a short delay and changes nothing. With ORCH_MOCK=1 a backend
// can be developed against the whole service without Kubernetes.
package mock

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"orchestrator/provision"
)

// Cluster simulates each step. It has no state: any number of workers may share a queue.
type Cluster struct {
	StepTime time.Duration // about how long each step takes
}

func (c Cluster) step(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(c.StepTime/2 + rand.N(c.StepTime+1)):
		return provision.FenceOf(ctx).Check()
	}
}

// Runner runs stores of these engines on the simulated cluster. There is no shop, so nothing is verified.
func (c Cluster) Runner(engines map[string]provision.Engine, budget, deleteTimeout time.Duration) *provision.Runner {
	return &provision.Runner{
		Namespaces: namespaces{c}, Credentials: credentials{c}, Releases: releases{c}, Readiness: readiness{c}, Volumes: volumes{c}, Upgrader: upgrader{}, Rotator: rotator{c}, BackupMaker: backups{c},
		Engines: engines, ReadinessTimeout: budget, DeleteTimeout: deleteTimeout,
	}
}

type namespaces struct{ c Cluster }

func (n namespaces) Ensure(ctx context.Context, _ provision.Store) (bool, error) {
	return false, n.c.step(ctx)
}
func (n namespaces) Remove(ctx context.Context, _ provision.Store) error { return n.c.step(ctx) }
func (n namespaces) MarkDeleting(_ context.Context, _ provision.Op, s provision.Store) ([]provision.Store, error) {
	return []provision.Store{s}, nil
}

type credentials struct{ c Cluster }

func (x credentials) Ensure(ctx context.Context, _ provision.Store, _ []provision.Credential) error {
	return x.c.step(ctx)
}

type releases struct{ c Cluster }

func (r releases) Apply(ctx context.Context, _ provision.Store, _ provision.Release) (provision.Applied, error) {
	return provision.Applied{At: time.Now()}, r.c.step(ctx)
}
func (r releases) Remove(ctx context.Context, _ provision.Store) error { return r.c.step(ctx) }

type readiness struct{ c Cluster }

func (r readiness) Wait(ctx context.Context, _ provision.Store, _ time.Time) error {
	return r.c.step(ctx)
}

type volumes struct{ c Cluster }

func (v volumes) Remove(ctx context.Context, _ provision.Store) error { return v.c.step(ctx) }
func (v volumes) Detach(ctx context.Context, _ provision.Store) error { return v.c.step(ctx) }

// rotator rotates once for each generation that was asked to.
type rotator struct{ c Cluster }

func (r rotator) Due(_ context.Context, s provision.Store) (bool, error) {
	return s.Rotation == s.Generation, nil
}

func (r rotator) Rotate(ctx context.Context, _ provision.Store, _ provision.Release, _ time.Time) error {
	return r.c.step(ctx)
}

// backups are of shops without orders.
type backups struct{ c Cluster }

func (b backups) MakeBackup(ctx context.Context, _ provision.Store, _ provision.Release, _ time.Time) (provision.Backup, error) {
	at := time.Now()
	if err := b.c.step(ctx); err != nil {
		return provision.Backup{}, err
	}
	return provision.Backup{Run: "mock", At: at.UTC(), Secrets: "mock", Seconds: int64(time.Since(at) / time.Second)}, nil
}

// upgrader finds each store in the only edition that there is.
type upgrader struct{}

func (upgrader) Editions(context.Context, provision.Store, provision.Release) (provision.Editions, error) {
	return provision.Editions{Kept: "mock", Current: "mock"}, nil
}

func (upgrader) Revert(context.Context, provision.Store, provision.Release, string) error { return nil }

// Passwords derives each store's password from its id, its last rotation and the installation's token: it is always the same, and cannot be
// guessed without the token.
type Passwords struct{ Token string }

// Password never fails.
func (p Passwords) Password(_ context.Context, s provision.Store) (string, error) {
	mac := hmac.New(sha256.New, []byte(p.Token))
	mac.Write([]byte("orchestrator mock password of store " + s.StoreID))
	if s.Rotation > 0 {
		fmt.Fprintf(mac, " since %d", s.Rotation)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil))[:24]), nil
}

// ClusterState remembers nothing: there is no cluster that could hold more than Redis does.
type ClusterState struct{}

// SaveOutcome does nothing.
func (ClusterState) SaveOutcome(context.Context, provision.Store, provision.Outcome) error {
	return nil
}

// SaveProtected does nothing.
func (ClusterState) SaveProtected(context.Context, provision.Store, bool) error { return nil }

// SaveDelivered does nothing.
func (ClusterState) SaveDelivered(context.Context, provision.Store, provision.Status) error {
	return nil
}

// ListStores finds no store.
func (ClusterState) ListStores(context.Context) (provision.SavedStores, error) {
	return provision.SavedStores{}, nil
}
