package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"orchestrator/deploy/devcluster/internal/state"
)

// nodeMark is the annotation by which kwok knows the nodes that are its own.
const nodeMark = "kwok.x-k8s.io/node=fake"

type object = map[string]any

func nodeName(i int) string { return "kwok-" + strconv.Itoa(i) }

// createObjects makes what a cluster has before it is used: nodes and a default storage class.
func (c *cluster) createObjects(ctx context.Context) error {
	for i := range c.nodeCount {
		name := nodeName(i)
		if err := c.api.apply(ctx, "/api/v1/nodes/"+name, nodeObject(name)); err != nil {
			return fmt.Errorf("create node %s: %w", name, err)
		}
		// The kubelet's port may be another one than in the run before.
		if err := c.api.apply(ctx, "/api/v1/nodes/"+name+"/status", nodeStatus(name, c.ports[state.Kwok])); err != nil {
			return fmt.Errorf("set the status of node %s: %w", name, err)
		}
	}
	if err := c.api.apply(ctx, storageClassPath, storageClass()); err != nil {
		return fmt.Errorf("create the storage class: %w", err)
	}
	return nil
}

func nodeObject(name string) object {
	return object{
		"apiVersion": "v1", "kind": "Node",
		"metadata": object{
			"name":        name,
			"annotations": object{"kwok.x-k8s.io/node": "fake"},
			"labels": object{
				"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
			},
		},
	}
}

// nodeStatus leaves the conditions to kwok.
func nodeStatus(name string, kubeletPort int) object {
	room := object{"cpu": "640", "memory": "5Ti", "ephemeral-storage": "50Ti", "pods": "20000"}
	return object{
		"apiVersion": "v1", "kind": "Node", "metadata": object{"name": name},
		"status": object{
			"capacity": room, "allocatable": room,
			"addresses": []object{
				{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name},
			},
			"daemonEndpoints": object{"kubeletEndpoint": object{"Port": kubeletPort}},
			"nodeInfo": object{
				"architecture": "amd64", "operatingSystem": "linux", "osImage": "simulated", "kernelVersion": "simulated",
				"kubeletVersion": "v1.37.2", "kubeProxyVersion": "", "containerRuntimeVersion": "kwok://0.8.0",
				"machineID": "", "systemUUID": "", "bootID": "",
			},
		},
	}
}

// freeLeases lets a new kwok have the nodes at once. Each kwok calls itself by another name and would wait 40 s until the lease of
// the one before, which is dead, has run out. A failure costs no more than that.
func (c *cluster) freeLeases() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for i := range c.nodeCount {
		_, _ = c.api.do(ctx, http.MethodDelete, leasePath(nodeName(i)), nil)
	}
}

func leasePath(node string) string {
	return "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/" + node
}

const storageClassPath = "/apis/storage.k8s.io/v1/storageclasses/standard"

func storageClass() object {
	return object{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
		"metadata": object{
			"name": "standard", "annotations": object{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		"provisioner": "kubernetes.io/host-path", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
	}
}

// awaitUsable returns once every node is Ready in this run and the controllers make service accounts.
func (c *cluster) awaitUsable(ctx context.Context, since time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("gave up after a minute"))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := c.missing(ctx, since)
		if missing == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster does not become usable: %w (%w)", missing, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func (c *cluster) missing(ctx context.Context, since time.Time) error {
	for i := range c.nodeCount {
		if err := c.nodeMissing(ctx, nodeName(i), since); err != nil {
			return err
		}
	}
	if err := c.api.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", &object{}); err != nil {
		return fmt.Errorf("no default service account yet: %w", err)
	}
	return nil
}

// nodeMissing also asks for a lease of this run: the Ready of the run before would be believed otherwise.
func (c *cluster) nodeMissing(ctx context.Context, name string, since time.Time) error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := c.api.get(ctx, "/api/v1/nodes/"+name, &node); err != nil {
		return err
	}
	ready := false
	for _, condition := range node.Status.Conditions {
		ready = ready || condition.Type == "Ready" && condition.Status == "True"
	}
	if !ready {
		return fmt.Errorf("node %s is not Ready", name)
	}
	var lease struct{ Spec struct{ RenewTime time.Time } }
	if err := c.api.get(ctx, leasePath(name), &lease); err != nil {
		return fmt.Errorf("the lease of node %s: %w", name, err)
	}
	if lease.Spec.RenewTime.Before(since) {
		return fmt.Errorf("node %s has not renewed its lease", name)
	}
	return nil
}
