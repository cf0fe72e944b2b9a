package cluster

import (
	"context"
	"os"
	"slices"
	"time"

	"orchestrator/deploy/devcluster/internal/state"
	"orchestrator/deploy/devcluster/internal/supervise"
)

// The names under which this program is its own components: it looks at argv[0].
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
	Shop              = "shop"
)

// component is what differs between the processes.
type component struct {
	name   string
	args   []string
	before func() // may be nil
	ready  func(context.Context) error
	grace  time.Duration
}

func (c *cluster) process(comp component) supervise.Process {
	path := c.exe
	if c.Kubernetes != "" && slices.Contains([]string{APIServer, ControllerManager, Scheduler}, comp.name) {
		path = c.Kubernetes
	}
	return supervise.Process{
		Name: comp.name, Path: path, Args: comp.args, Env: c.environment(),
		LogFile: c.dir.Path("logs", comp.name+".log"), PidFile: c.dir.Path("run", comp.name+".pid"),
		Before: comp.before, Ready: comp.ready, Grace: comp.grace,
	}
}

// environment is chosen, not inherited: etcd and kwok also take settings from it, and a proxy has no place here.
func (c *cluster) environment() []string {
	env := []string{"KWOK_WORKDIR=" + c.dir.Path("kwok")}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ", "GOMAXPROCS", "GOGC", "GOMEMLIMIT"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (c *cluster) etcd() component {
	client, peer := "http://"+c.ports.Address(state.EtcdClient), "http://"+c.ports.Address(state.EtcdPeer)
	return component{
		name: Etcd,
		args: []string{
			"--data-dir=" + c.dir.Path("etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
			"--unsafe-no-fsync", // what a crash of the machine may cost here is a cluster that is made anew in seconds
			"--auto-compaction-retention=5m", "--quota-backend-bytes=2147483648",
			"--log-level=warn",
		},
		ready: answers(client + "/health"),
		grace: 3 * time.Second,
	}
}

func (c *cluster) apiServer() component {
	return component{
		name: APIServer,
		args: append(c.serving(state.APIServer),
			"--etcd-servers=http://"+c.ports.Address(state.EtcdClient),
			"--endpoint-reconciler-type=none", // there are no pods that could reach it
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file="+c.dir.Path("pki", "sa.pub"),
			"--service-account-signing-key-file="+c.dir.Path("pki", "sa.key"),
			"--service-cluster-ip-range=10.96.0.0/16",
			"--token-auth-file="+c.dir.Path("tokens.csv"),
			"--authorization-mode=RBAC",
			"--allow-privileged=true",
			"--kubelet-preferred-address-types=InternalIP",
		),
		ready: c.api.ready,
		grace: 3 * time.Second, // it would wait up to a minute for watches of clients that do not end
	}
}

func (c *cluster) controllerManager() component {
	return component{
		name: ControllerManager,
		args: append(append(c.serving(state.ControllerManager), c.clientFlags()...),
			"--service-account-private-key-file="+c.dir.Path("pki", "sa.key"),
			"--root-ca-file="+c.dir.Path("pki", "ca.crt"),
			"--enable-hostpath-provisioner=true",
		),
		ready: c.healthy(state.ControllerManager),
		grace: 2 * time.Second,
	}
}

func (c *cluster) scheduler() component {
	return component{
		name:  Scheduler,
		args:  append(c.serving(state.Scheduler), c.clientFlags()...),
		ready: c.healthy(state.Scheduler),
		grace: 2 * time.Second,
	}
}

func (c *cluster) kwok() component {
	address := c.ports.Address(state.Kwok)
	return component{
		name: Kwok,
		args: []string{
			"--kubeconfig=" + c.dir.Kubeconfig(), "--config=" + c.dir.Path("kwok", "stages.yaml"),
			"--manage-nodes-with-annotation-selector=" + nodeMark,
			"--cidr=10.128.0.0/9", "--node-ip=127.0.0.1", "--server-address=" + address,
			"--tls-cert-file=" + c.dir.Path("pki", "server.crt"), "--tls-private-key-file=" + c.dir.Path("pki", "server.key"),
			"--node-lease-duration-seconds=40",
		},
		before: c.freeLeases,
		ready:  answers("http://" + address + "/healthz"),
		grace:  2 * time.Second,
	}
}

func (c *cluster) shop() component {
	admin := c.ports.Address(state.ShopAdmin)
	return component{
		name:  Shop,
		args:  []string{"--listen=" + c.ports.Address(state.Shop), "--admin=" + admin, "--dir=" + string(c.dir)},
		ready: answers("http://" + admin + "/healthz"),
		grace: time.Second,
	}
}

// serving are the flags of whatever serves TLS on loopback.
func (c *cluster) serving(listener string) []string {
	return []string{
		"--bind-address=127.0.0.1", "--secure-port=" + port(c.ports, listener),
		"--tls-cert-file=" + c.dir.Path("pki", "server.crt"), "--tls-private-key-file=" + c.dir.Path("pki", "server.key"),
	}
}

// clientFlags are the flags of a controller. The usual limit of 20 to 50 requests a second would hide every other limit.
func (c *cluster) clientFlags() []string {
	return []string{"--kubeconfig=" + c.dir.Kubeconfig(), "--kube-api-qps=500", "--kube-api-burst=1000", "--leader-elect=false"}
}
