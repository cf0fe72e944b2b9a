package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Clusters are those that the installations place stores in.
type Clusters []*Cluster

// startClusters starts n development clusters whose state and logs are below dir. With several each has a name.
func startClusters(ctx context.Context, program, dir string, n int) (Clusters, error) {
	var all Clusters
	for i := range n {
		name := ""
		if n > 1 {
			name = fmt.Sprint("c", i+1)
		}
		c, err := StartCluster(ctx, program, dir, name, "0s..10s")
		if c != nil {
			all = append(all, c)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// settings is what ORCH_CLUSTERS and KUBECONFIG are for a service that reaches each cluster by another kubeconfig.
func (all Clusters) settings(kubeconfig func(*Cluster) string) string {
	var entries []string
	for _, c := range all {
		if c.Name == "" {
			return "KUBECONFIG=" + kubeconfig(c)
		}
		entries = append(entries, c.Name+"="+kubeconfig(c))
	}
	return "ORCH_CLUSTERS=" + strings.Join(entries, ",")
}

// Queues are the queues of the installations.
func (all Clusters) Queues() (names []string) {
	for _, queue := range []string{"provision", "delete", "callback"} {
		names = append(names, queue)
		for _, c := range all {
			if c.Name != "" {
				names = append(names, queue+"."+c.Name)
			}
		}
	}
	return append(names, "callback.any")
}

// Delete deletes an object on whichever cluster has it, and reports whether one had.
func (all Clusters) Delete(ctx context.Context, path string) (deleted bool) {
	for _, c := range all {
		deleted = c.Kube.Delete(ctx, path) == nil || deleted
	}
	return deleted
}

// Resume ends what signals began, and returns when every API server answers.
func (all Clusters) Resume(ctx context.Context) error {
	for _, c := range all {
		c.SignalAPI(syscall.SIGCONT)
		if c.Exited() {
			return errors.New("a development cluster has exited; see its log")
		}
		if err := c.awaitAPI(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (all Clusters) stop() {
	for _, c := range all {
		c.SignalAPI(syscall.SIGCONT)
		c.RemoveVolumes()
		c.Stop(30 * time.Second)
	}
}

// RemoveVolumes removes the directories of the cluster's volumes, which are outside of the cluster's own directory.
func (c *Cluster) RemoveVolumes() {
	if c.Kube == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var list struct {
		Items []struct {
			Spec struct{ HostPath struct{ Path string } }
		}
	}
	_ = c.Kube.Get(ctx, "/api/v1/persistentvolumes", &list) // if the cluster does not answer, its empty directories stay
	for _, v := range list.Items {
		if filepath.Dir(v.Spec.HostPath.Path) == "/tmp/hostpath_pv" {
			_ = os.RemoveAll(v.Spec.HostPath.Path)
		}
	}
}
