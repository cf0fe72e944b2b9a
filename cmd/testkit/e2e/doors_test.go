//go:build realcluster

package e2e

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// settle is how long a network may take to do what policies say.
const settle = time.Minute

// doors is an installation of the service in a cluster, its stores, and what is tried between them.
type doors struct {
	world
	options options
	outside outside
	image   string // has bash and timeout: most pods have no shell
	release string
	token   string
	ns      map[string]string // by role
	stores  map[string]provision.Request
	client  *client.Client
	node    corev1.Node
	doors   []door
	places  []place
}

// TestDoorsAreClosed tries every way between stores, the service, the cluster and the outside, prints what is open, and removes policies to see that it is
// they that keep doors closed.
func TestDoorsAreClosed(t *testing.T) {
	o, err := optionsOf(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	d := &doors{world: newWorld(t), options: o, release: "orchestrator-" + strings.ToLower(rand.Text()[:6]), token: rand.Text(), ns: map[string]string{}}
	d.image = cmp.Or(os.Getenv("DOORS_IMAGE"), o.images[imageKey{"woocommerce", "mariadb"}], "mariadb:11.8.8")
	d.outside = outsideOf(t, os.Getenv)
	d.install()
	d.furnish()
	d.hold(t, os.Stdout)
	if t.Failed() {
		return // what is open already says nothing when a policy is gone
	}
	for _, r := range d.removals() {
		t.Run("without "+r.name, func(t *testing.T) { d.notice(t, r) })
	}
	d.hold(t, t.Output())
	if !o.keep {
		d.removeStores()
	}
}

// install makes all that there are doors between.
func (d *doors) install() {
	d.t.Helper()
	for _, role := range []string{"service", "backend", "gateway", "stranger"} {
		d.ns[role] = d.namespace(role)
	}
	backend := d.installBackend()
	d.installService()
	ingest := d.component(d.ns["service"], d.release, "ingest")
	var err error
	d.client, err = client.New("http://"+d.forwardTo(&ingest, shopPort(&ingest)), d.token)
	d.must(err)
	d.createStores()
	node, err := d.k.CoreV1().Nodes().Get(context.Background(), d.component(d.stores["A"].Namespace, d.stores["A"].Name, "shop").Spec.NodeName, metav1.GetOptions{})
	d.must(err)
	d.node = *node
	d.add("tcp", "the backend", backend.Status.PodIP, 80)
	d.places = append(d.places, d.placeIn("backend", backend, 80))
}

// furnish finds the doors and puts what tries them into the places.
func (d *doors) furnish() {
	d.t.Helper()
	d.ofStore("A", "A-db", "mariadb", "A's database", 3306)
	d.ofStore("B", "", "mariadb", "B's database", 3306)
	if _, ok := d.stores["C"]; ok {
		d.ofStore("C", "C-db", "postgres", "C's database", 5432)
		d.ofStore("C", "", "valkey", "C's Valkey", 6379)
	}
	for _, letter := range slices.Sorted(maps.Keys(d.stores)) {
		d.ofStore(letter, letter+"-shop", "shop", letter+"'s shop", 0)
	}
	d.places = append(d.places, d.newPlace("A-other", d.stores["A"].Namespace, false))
	d.ofService("ingest", map[string]int32{"ingest": 9000, "ingest's admin port": 9003})
	d.ofService("worker", map[string]int32{"worker's admin port": 9001})
	d.ofService("monitor", map[string]int32{"monitor": 9002})
	d.ofService("redis", map[string]int32{"Redis": 6379})
	stranger := d.newPlace("stranger", d.ns["stranger"], false)
	d.places = append(d.places, stranger, d.newPlace("gateway", d.ns["gateway"], false), d.newPlace("node", d.ns["stranger"], true),
		commandPlace("outside", d.outside.command))
	d.ofCluster(stranger)
	d.ofSurroundings()
}

// ofStore adds a component of a store as a door, and as a place where it has a name as one.
func (d *doors) ofStore(letter, place, component, door string, port int32) {
	d.t.Helper()
	pod := d.component(d.stores[letter].Namespace, d.stores[letter].Name, component)
	port = cmp.Or(port, shopPort(&pod))
	d.add("tcp", door, pod.Status.PodIP, port)
	if place != "" {
		d.places = append(d.places, d.placeIn(place, pod, port))
	}
}

// ofService adds a component of the service as a place, and its ports as doors.
func (d *doors) ofService(component string, ports map[string]int32) {
	d.t.Helper()
	pod := d.component(d.ns["service"], d.release, component)
	own := int32(0)
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		own = ports[name]
		d.add("tcp", name, pod.Status.PodIP, own)
	}
	d.places = append(d.places, d.placeIn(component, pod, own))
}

// ofCluster adds the doors of the cluster: its DNS as the stranger has it, the API server, and the kubelet of A's node.
func (d *doors) ofCluster(stranger place) {
	d.t.Helper()
	server, err := stranger.run(context.Background(), "sed -n 's/^nameserver //p;T;q' /etc/resolv.conf")
	d.must(err)
	d.add("udp", "DNS", strings.TrimSpace(server), 53)
	service, err := d.k.CoreV1().Services(metav1.NamespaceDefault).Get(context.Background(), "kubernetes", metav1.GetOptions{})
	d.must(err)
	d.add("tcp", "API server's Service", service.Spec.ClusterIP, service.Spec.Ports[0].Port)
	endpoints, err := d.k.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(context.Background(), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=kubernetes"})
	d.must(err)
	d.add("tcp", "API server's address", endpoints.Items[0].Endpoints[0].Addresses[0], *endpoints.Items[0].Ports[0].Port)
	for _, addr := range d.node.Status.Addresses {
		if addr.Type == corev1.NodeInternalIP {
			d.add("tcp", "kubelet", addr.Address, d.node.Status.DaemonEndpoints.KubeletEndpoint.Port)
			return
		}
	}
	d.t.Fatalf("node %s has no internal address", d.node.Name)
}

// ofSurroundings adds what is beside the cluster, as far as there is such a thing.
func (d *doors) ofSurroundings() {
	d.t.Helper()
	for _, o := range []struct{ kind, name, addr string }{
		{"tcp", "metadata address", d.outside.metadata},
		{"tcp", public[0], withPort(d.outside.public, "443")},
		{"tcp", public[1], withPort(d.outside.public, "80")},
		{"http", "A's shop by the ingress", os.Getenv("DOORS_INGRESS")},
	} {
		if o.addr == "" {
			d.t.Logf("NOT TRIED: %s; docs/e2e.md says how", o.name)
			continue
		}
		host, text, err := net.SplitHostPort(o.addr)
		d.must(err)
		port, err := strconv.ParseInt(text, 10, 32)
		d.must(err)
		d.add(o.kind, o.name, host, int32(port))
	}
}

func withPort(host, port string) string {
	if host == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}

func (d *doors) add(kind, name, host string, port int32) {
	d.doors = append(d.doors, door{name, kind, host, port, d.stores["A"].Host})
}

// hold looks until everything is as wanted, since a network takes a moment to do what policies say, and prints what it saw last.
func (d *doors) hold(t *testing.T, to io.Writer) {
	t.Helper()
	seen := d.look(t)
	for deadline := time.Now().Add(settle); len(d.wrong(seen)) > 0 && time.Now().Before(deadline); {
		seen = d.look(t)
	}
	d.print(to, seen)
	for _, w := range d.wrong(seen) {
		t.Error(w)
	}
	t.Logf("%d doors from %d places; the node runs %s", len(d.doors), len(d.places), d.node.Status.NodeInfo.KubeletVersion)
}
