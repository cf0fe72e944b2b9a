package cluster

import (
	"cmp"
	"context"

	"k8s.io/utils/clock"

	"orchestrator/provision"
	"orchestrator/provision/cluster/backup"
	"orchestrator/provision/cluster/helm"
	"orchestrator/provision/cluster/kube"
	"orchestrator/provision/cluster/readiness"
)

// Config says which cluster to connect to and what to install in it.
type Config struct {
	API       kube.Config
	Charts    helm.Charts
	StoreRole string      // ClusterRole that the process binds itself to in each store's namespace; "" if it needs no binding
	Clock     clock.Clock // what readiness is timed by; nil is the machine's

	// Installation names the installation in the namespaces of its stores; nil gives it no name. Stores of others are left alone.
	Installation Installation
	StoreSecrets StoreSecrets
	Backups      backup.Access // with no gate: no store is backed up
}

// Cluster implements what a [provision.Runner] needs of a Kubernetes cluster. It is safe for concurrent use.
type Cluster struct {
	Namespaces  *Namespaces
	Credentials *Credentials
	Releases    *Releases
	Readiness   *readiness.Watcher
	Volumes     *Volumes
	Shops       *Shops
	State       *State
	Rotations   *Rotations
	Backups     *backup.Maker

	api *kube.Client
}

// Connect prepares a Cluster without network requests, so its API server need not be reachable yet.
func Connect(cfg Config) (*Cluster, error) {
	api, err := kube.Connect(cfg.API)
	if err != nil {
		return nil, err
	}
	return assemble(api, cfg)
}

func assemble(api *kube.Client, cfg Config) (*Cluster, error) {
	releases, err := helm.New(api, cfg.Charts)
	if err != nil {
		return nil, err
	}
	owner := ownership{api, cfg.Installation}
	credentials := &Credentials{api, owner, cfg.StoreSecrets}
	owned := &Releases{releases, owner}
	return &Cluster{
		Namespaces:  &Namespaces{api, owner, &roleBinder{api: api, role: cfg.StoreRole}},
		Credentials: credentials,
		Releases:    owned,
		Readiness:   readiness.New(api.Clientset, api.Log, cmp.Or[clock.Clock](cfg.Clock, clock.RealClock{})),
		Volumes:     &Volumes{api, owner},
		Shops:       &Shops{api, credentials},
		State:       &State{api, owner},
		Rotations:   &Rotations{api, credentials, owned},
		Backups:     &backup.Maker{API: api, Access: cfg.Backups, Installation: owner.id, Render: owned.job, Save: (&State{api, owner}).saveBackup},
		api:         api,
	}, nil
}

// Start runs the informers until ctx ends and returns once they have listed the cluster's state. It may be called once,
// and no run can wait for readiness before.
func (c *Cluster) Start(ctx context.Context) error { return c.Readiness.Start(ctx) }

// Close waits until the informers have stopped; cancel the context of Start first.
func (c *Cluster) Close() { c.Readiness.Close() }

// Check returns nil if the API server answers and the informers have listed the cluster's state.
func (c *Cluster) Check(ctx context.Context) error {
	if err := c.Readiness.Synced(); err != nil {
		return err
	}
	return c.api.Ping(ctx)
}

// auditor implements [provision.Auditor].
type auditor struct {
	*Releases
	*Credentials
}

func (c *Cluster) restorer() *backup.Restorer {
	return &backup.Restorer{Maker: c.Backups, Credentials: c.Credentials, Abandon: c.State.abandonRestore, SaveTest: c.State.saveRestoreTest}
}

// Fill sets the fields of the runner that the cluster implements.
func (c *Cluster) Fill(r *provision.Runner) {
	r.Namespaces, r.Credentials, r.Releases = c.Namespaces, c.Credentials, c.Releases
	r.Readiness, r.Volumes, r.Shops, r.Rotator = c.Readiness, c.Volumes, c.Shops, c.Rotations
	r.Auditor, r.Upgrader, r.Turns = auditor{c.Releases, c.Credentials}, c.Releases, c.api
	if c.Backups.Access.Gate != "" {
		r.BackupMaker, r.Restorer = c.Backups, c.restorer()
	}
}
