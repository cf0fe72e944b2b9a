package cluster

import (
	"strings"
	"testing"

	"orchestrator/deploy/devcluster/internal/state"
)

func TestEverythingListensOnLoopback(t *testing.T) {
	c := &cluster{dir: "/d", ports: state.Ports{}, api: &api{}}
	for i, name := range []string{
		state.EtcdClient, state.EtcdPeer, state.APIServer, state.ControllerManager, state.Scheduler, state.Kwok, state.Shop, state.ShopAdmin,
	} {
		c.ports[name] = 20000 + i
	}
	for _, comp := range []component{c.etcd(), c.apiServer(), c.controllerManager(), c.scheduler(), c.kwok(), c.shop()} {
		listens := false
		for _, arg := range comp.args {
			flag, value, _ := strings.Cut(arg, "=")
			switch flag {
			case "--bind-address", "--listen-client-urls", "--listen-peer-urls", "--server-address", "--listen", "--admin":
				listens = true
				if !strings.HasPrefix(strings.TrimPrefix(value, "http://"), "127.0.0.1") {
					t.Errorf("%s listens on %s", comp.name, value)
				}
			}
		}
		if !listens {
			t.Errorf("%s is not given an address to listen on, and would choose one itself", comp.name)
		}
		if !strings.Contains(strings.Join(comp.args, " "), "/d") {
			t.Errorf("%s cannot be distinguished from the processes of other clusters", comp.name)
		}
		if comp.ready == nil || comp.grace == 0 {
			t.Errorf("%s has no check or no time to end", comp.name)
		}
	}
}

func TestEnvironmentIsNotInherited(t *testing.T) {
	t.Setenv("ETCD_NAME", "other")
	t.Setenv("HTTPS_PROXY", "http://proxy.invalid")
	c := &cluster{dir: "/d"}
	for _, entry := range c.environment() {
		if strings.HasPrefix(entry, "ETCD_") || strings.Contains(entry, "PROXY") {
			t.Errorf("%s reaches the components", entry)
		}
	}
}
