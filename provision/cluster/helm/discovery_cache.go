package helm

import (
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"

	"orchestrator/provision/cluster/kube"
)

// discoveryAge is the maximum age of the cached API kinds. An unknown kind refreshes the cache at once.
const discoveryAge = 10 * time.Minute

// discoveryCache holds the API server's kinds and version, read once and shared by all Helm operations. Helm itself reads
// them again for each operation, which is most of an install's traffic.
type discoveryCache struct {
	api *kube.Client

	mu   sync.Mutex
	caps *chartutil.Capabilities
	read time.Time
}

// capabilities returns what charts see as .Capabilities. The caller owns the result.
func (d *discoveryCache) capabilities() (*chartutil.Capabilities, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.caps == nil || time.Since(d.read) > discoveryAge {
		if err := d.refresh(); err != nil {
			return nil, kube.WrapError(err, "read the API kinds of the cluster")
		}
	}
	return d.caps.Copy(), nil
}

func (d *discoveryCache) refresh() error {
	d.api.Mapper.Reset() // it invalidates the cache of Discovery as well
	version, err := d.api.Discovery.ServerVersion()
	if err != nil {
		return err
	}
	apis, err := action.GetVersionSet(d.api.Discovery)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) { // an aggregated API that is down hides only its own kinds
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

// invalidateOn drops the cache if err says that a kind is unknown. It reports whether a retry can help: the cache was older
// than the operation that started at since.
func (d *discoveryCache) invalidateOn(err error, since time.Time) bool {
	if !meta.IsNoMatchError(err) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	stale := d.read.Before(since)
	d.caps = nil
	return stale
}
