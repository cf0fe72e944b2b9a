package cluster

import (
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
)

// discoveryAge is how old the knowledge of the cluster's kinds may be. A kind that is not found refreshes it at once.
const discoveryAge = 10 * time.Minute

// discovered is what the API server can do: its kinds and its version, read once and shared by all Helm operations.
// Helm would read it anew for each, which is most of an install's traffic.
type discovered struct {
	client discovery.CachedDiscoveryInterface
	mapper *restmapper.DeferredDiscoveryRESTMapper

	mu   sync.Mutex
	caps *chartutil.Capabilities
	read time.Time
}

func newDiscovered(conn *connection) (*discovered, error) {
	client, err := discovery.NewDiscoveryClientForConfig(conn.config(nil))
	if err != nil {
		return nil, err
	}
	cached := memory.NewMemCacheClient(client)
	return &discovered{client: cached, mapper: restmapper.NewDeferredDiscoveryRESTMapper(cached)}, nil
}

// capabilities is what charts see as .Capabilities. The result is the caller's own.
func (d *discovered) capabilities() (*chartutil.Capabilities, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.caps == nil || time.Since(d.read) > discoveryAge {
		if err := d.refresh(); err != nil {
			return nil, failure(err, "list what the cluster can do")
		}
	}
	return d.caps.Copy(), nil
}

func (d *discovered) refresh() error {
	d.mapper.Reset() // it invalidates the client, too
	version, err := d.client.ServerVersion()
	if err != nil {
		return err
	}
	apis, err := action.GetVersionSet(d.client)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) { // an aggregated API that is down hides only itself
		return err
	}
	d.caps = &chartutil.Capabilities{
		APIVersions: apis,
		KubeVersion: chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}
	d.read = time.Now()
	return nil
}

// forget makes the next operation look again, and reports whether that can help: the knowledge was older than the
// operation that began at since.
func (d *discovered) forget(err error, since time.Time) bool {
	if !meta.IsNoMatchError(err) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	stale := d.read.Before(since)
	d.caps = nil
	return stale
}
