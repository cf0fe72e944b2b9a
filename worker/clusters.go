package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"orchestrator/provision"
)

// Cluster is one cluster that a worker serves. All fields but Name, Unwell, Complete and EndRestoreTest are required.
type Cluster struct {
	// Name is "" where the installation names no clusters: this is the only one, [provision.DefaultCluster].
	Name       string
	Runner     Runner
	Maintainer Maintainer
	Passwords  Passwords
	State      ClusterState
	// Unwell says which namespaces have workloads whose pods are not all available, and what is missing; nil: it is not watched.
	Unwell func() (map[string]string, error)
	// Complete reports whether all pods of the stores in a namespace are ready; nil: no store that has failed becomes READY by itself.
	Complete func(namespace string) bool
	// EndRestoreTest removes what a restore test of a store has left behind; nil: it stays.
	EndRestoreTest func(context.Context, provision.Store) error
	Check          func(context.Context) error // returns nil when the API server answers
}

// id is the cluster's name in tasks and callbacks.
func (c Cluster) id() string { return cmp.Or(c.Name, provision.DefaultCluster) }

func clusterIDs(clusters []Cluster) (ids []string) {
	for _, c := range clusters {
		ids = append(ids, c.id())
	}
	return ids
}

// log names the cluster in each line, where there are several.
func (c Cluster) log(log *slog.Logger) *slog.Logger {
	if c.Name == "" {
		return log
	}
	return log.With("cluster", c.Name)
}

func validate(clusters []Cluster) error {
	if len(clusters) == 0 {
		return errors.New("a worker needs a cluster")
	}
	seen := map[string]bool{}
	for _, c := range clusters {
		if seen[c.id()] {
			return fmt.Errorf("cluster %q is given twice", c.Name)
		}
		seen[c.id()] = true
	}
	return nil
}

// anyHealthy returns nil as soon as one of the clusters answers, and the errors of all when none does.
func anyHealthy(ctx context.Context, clusters []Cluster) error {
	answers := make(chan error, len(clusters))
	for _, c := range clusters {
		go func() {
			err := c.Check(ctx)
			if err != nil && c.Name != "" {
				err = fmt.Errorf("cluster %s: %w", c.Name, err)
			}
			answers <- err
		}()
	}
	var errs []error
	for range clusters {
		err := <-answers
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// clusterStates are the states of the clusters that this worker serves, by name. What happens to a store on another cluster is
// not saved: after a loss of Redis its outcome is delivered once more.
type clusterStates map[string]ClusterState

// SaveDelivered implements [deliveryState].
func (c clusterStates) SaveDelivered(ctx context.Context, s provision.Store, delivered provision.Status) error {
	if state, served := c[cmp.Or(s.Cluster, provision.DefaultCluster)]; served {
		return state.SaveDelivered(ctx, s, delivered)
	}
	return nil
}
