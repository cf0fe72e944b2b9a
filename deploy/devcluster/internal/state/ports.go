package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// Ports are the loopback ports of a cluster by what listens there.
type Ports map[string]int

// What listens.
const (
	EtcdClient        = "etcd"
	EtcdPeer          = "etcd-peer"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
	Shop              = "shop"
	ShopAdmin         = "shop-admin"
)

var listeners = []string{EtcdClient, EtcdPeer, APIServer, ControllerManager, Scheduler, Kwok, Shop, ShopAdmin}

// Ports are chosen here, below where the systems take the ports of outgoing connections from (Linux 32768, others 49152):
// while a component is down, such a connection could otherwise take its port, and a client that keeps dialling the
// port can even connect to itself.
const firstPort, pastPorts = 20000, 32000

// Address returns the loopback address of a listener.
func (p Ports) Address(name string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p[name]))
}

// ChoosePorts returns the folder's ports: those of the run before where they are still free, others where they are not.
// They are written to ports.json, so that kubeconfigs stay valid from run to run.
func (d Dir) ChoosePorts() (Ports, error) {
	before, err := d.ReadPorts()
	if err != nil {
		return nil, err
	}
	ports, taken := Ports{}, map[int]bool{}
	for _, name := range listeners {
		port := before[name]
		if port == 0 || taken[port] || !free(port) {
			if port, err = findFree(taken); err != nil {
				return nil, fmt.Errorf("a port for %s: %w", name, err)
			}
		}
		ports[name], taken[port] = port, true
	}
	data, err := json.MarshalIndent(ports, "", "  ")
	if err != nil {
		return nil, err
	}
	return ports, os.WriteFile(d.Path("ports.json"), append(data, '\n'), 0o600)
}

// ReadPorts returns the ports of the last run, none when there was none.
func (d Dir) ReadPorts() (Ports, error) {
	data, err := os.ReadFile(d.Path("ports.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ports Ports
	if err := json.Unmarshal(data, &ports); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): remove it, new ports are chosen then", d.Path("ports.json"), err)
	}
	return ports, nil
}

func findFree(taken map[int]bool) (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(pastPorts-firstPort)
		if !taken[port] && free(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("none of %d to %d is free on 127.0.0.1", firstPort, pastPorts-1)
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
