//go:build realcluster

package e2e

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// TLS ends in a proxy before an ingress controller that is spoken to in plain HTTP, and that tells shops so. The store's URL has a port and a path. A shop
// whose values say nothing of it is not READY, and the caller reads why; one whose values do is as good as any other.
func TestTLSEndsBeforeTheIngress(t *testing.T) {
	o, err := optionsOf(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if o.front == nil {
		t.Skip("LEFT OUT: it needs FRONT")
	}
	for _, engine := range o.engines {
		if shoppers[engine] == nil {
			continue
		}
		t.Run(engine, func(t *testing.T) { behindProxy(t, o, engine, true).sellsBehindProxy() })
		if engine == "woocommerce" { // Medusa does not ask what the controller says
			t.Run(engine+", not told", func(t *testing.T) { behindProxy(t, o, engine, false).isNotReady() })
		}
	}
}

// behindProxy is a store behind a proxy of the test's own, which speaks plain HTTP to the front door.
func behindProxy(t *testing.T, o options, engine string, told bool) *tour {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	inner := net.JoinHostPort(o.front.host, "80")
	o.front = &frontDoor{host: host, port: port, domain: o.front.domain, tls: map[string]any{"enabled": false, "endsBefore": told}}
	if !told {
		o.timeout = time.Minute
	}
	tr := newTour(t, o, &report{}, engine)
	tr.store.StoreURL += "/shop/"

	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetXForwarded()
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", inner, r.In.Host
	}})
	server.Listener.Close()
	server.Listener = listener
	server.TLS = &tls.Config{Certificates: []tls.Certificate{tr.front.certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	tr.worker = tr.start("worker")
	return tr
}

func (tr *tour) sellsBehindProxy() {
	tr.password, _ = tr.ready()
	tr.shopper.browse(tr.visit(), tr.store.Settings)
	tr.order = tr.guestOrders()
	tr.rig.t.Log(tr.ownerLogsIn())
	if why := tr.noBrowser(); why != "" {
		tr.rig.t.Log(why)
		return
	}
	tr.rig.t.Log(tr.guestBrowses())
	tr.rig.t.Log(tr.ownerBrowses())
}

func (tr *tour) isNotReady() {
	tr.submit(tr.store)
	var last callback
	tr.eventually("an outcome is delivered", tr.patience, func() bool {
		all := tr.backend.of(tr.store.StoreID)
		if len(all) > 0 {
			last = all[len(all)-1]
		}
		return last.Status != ""
	})
	if last.Status != provision.StatusFailed || !strings.Contains(last.Error, "common.ingress.tls.endsBefore") {
		tr.rig.t.Fatalf("the outcome is %s: %s", last.Status, last.Error)
	}
	if got := tr.visitStatus("/shop/"); got != http.StatusOK {
		tr.rig.t.Fatalf("the shop page answers %d: this is another mistake than the one that is tested", got)
	}
	tr.rig.t.Log(last.Error)
}

func (tr *tour) visitStatus(path string) int {
	tr.rig.t.Helper()
	return tr.visit().ask(http.MethodGet, path, nil).status
}
