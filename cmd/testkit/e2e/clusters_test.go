//go:build devcluster

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/provision"
)

// pausableProxy forwards connections to the API server and can be paused: what is sent meanwhile arrives when it goes on.
type pausableProxy struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	open chan struct{} // closed while it is not paused
}

func newPausableProxy(t *testing.T, to string) *pausableProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	r := &pausableProxy{listener: listener, to: to, open: make(chan struct{})}
	r.start()
	go r.serve()
	return r
}

func (r *pausableProxy) start() { r.mu.Lock(); close(r.open); r.mu.Unlock() }
func (r *pausableProxy) stop()  { r.mu.Lock(); r.open = make(chan struct{}); r.mu.Unlock() }

func (r *pausableProxy) serve() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.to)
		if err != nil {
			in.Close()
			continue
		}
		go r.carry(out, in)
		go r.carry(in, out)
	}
}

func (r *pausableProxy) carry(to io.WriteCloser, from io.ReadCloser) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.mu.Lock()
		open := r.open
		r.mu.Unlock()
		<-open
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

// kubeconfig writes a kubeconfig that leads through the proxy.
func (r *pausableProxy) kubeconfig(t *testing.T, given string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(given)
	if err != nil {
		t.Fatal(err)
	}
	config.Clusters[config.Contexts[config.CurrentContext].Cluster].Server = "https://" + r.listener.Addr().String()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Of three clusters one is unreachable from the start and one hangs in the middle of its stores' provisions: the third one's
// stores become READY meanwhile, the second's when it is back, and FAILED is never delivered. The two reachable clusters are
// one API server behind two proxies.
func TestOneClusterHangsAndOneIsUnreachable(t *testing.T) {
	given := must(t, "ORCH_TEST_KUBECONFIG")
	config, err := clientcmd.BuildConfigFromFlags("", given)
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	us, unreachable := newPausableProxy(t, server.Host), newPausableProxy(t, freeAddr(t))
	r := newRig(t, "ORCH_CLUSTERS=eu="+given+",us="+us.kubeconfig(t, given))
	r.start("worker", "ORCH_CLUSTERS=eu="+given+",us="+us.kubeconfig(t, given)+",unreachable="+unreachable.kubeconfig(t, given))

	first := r.submitOn("us", 1)
	r.awaitStatus(first[0].StoreID, provision.StatusReady, 1)
	waiting := r.submitOn("us", 3)
	r.eventually("the release is being applied", soonEnough, func() bool { return r.began(waiting[0].StoreID, provision.StepRelease) })
	us.stop()
	start := time.Now()
	going := r.submitOn("eu", 3)
	for _, s := range going {
		r.awaitStatus(s.StoreID, provision.StatusReady, 1)
	}
	t.Logf("with one cluster away, three stores of another one were READY after %s", time.Since(start).Round(time.Millisecond))
	for _, s := range waiting {
		if n := len(r.backend.of(s.StoreID)); n != 0 {
			t.Logf("store %s had %d callbacks already: it was READY before its cluster was away", s.StoreID, n)
		}
	}
	us.start()
	for _, s := range waiting {
		r.awaitStatus(s.StoreID, provision.StatusReady, 1)
		if state := r.state(s.StoreID); state.Cluster != "us" || state.Attempts+state.Crashes != 0 {
			t.Errorf("%s is shown as %+v", s.StoreID, state)
		}
	}
	for _, s := range append(append(first, waiting...), going...) {
		r.remove(s.StoreID)
	}
}

// submitOn requests n new stores on a cluster.
func (r *rig) submitOn(cluster string, n int) (stores []provision.Request) {
	r.t.Helper()
	for i := range n {
		s := store(r.t, "woocommerce")
		s.Cluster = cluster
		s.StoreID, s.Name = fmt.Sprint(s.StoreID, "-", i), fmt.Sprint(s.Name, "-", i)
		s.Namespace, s.Host = "store-"+s.StoreID, s.StoreID+".localhost"
		s.StoreURL = "https://" + s.Host
		r.submit(s)
		stores = append(stores, s)
	}
	return stores
}
