package record

import (
	"context"
	"encoding/json"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// placementArg is what the script accept has to know of the clusters for one request.
type placementArg struct {
	Clusters   provision.Clusters `json:"clusters"`
	Candidates []string           `json:"candidates"` // where a new store may go
	Named      string             `json:"named"`      // by the request
	All        bool               `json:"all"`        // these are all clusters of the installation
}

// placementOf is the argument as JSON, or "" where there is one cluster only.
func (c client) placementOf(req provision.Request) string {
	p := placementArg{Clusters: c.placement.Clusters, Candidates: c.placement.Candidates(req), Named: req.Cluster, All: true}
	if len(p.Clusters) == 0 {
		if req.Cluster == "" {
			return ""
		}
		p = placementArg{provision.Clusters{{Name: req.Cluster, Weight: 1}}, []string{req.Cluster}, req.Cluster, false}
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic("record: names and numbers did not marshal: " + err.Error())
	}
	return string(text)
}

// inRequest is how a request names the cluster that its store lives on: the default cluster is not named.
func inRequest(cluster string) string {
	if cluster == provision.DefaultCluster {
		return ""
	}
	return cluster
}

// errNoCluster is the refusal of a new store that no cluster may take.
func errNoCluster(req provision.Request) error {
	if req.Cluster != "" {
		return provision.Errorf(provision.CodeInvalid, "cluster %s is closed to new stores; name another one, or none", req.Cluster)
	}
	return provision.Errorf(provision.CodeUnavailable, "no cluster that may take this store is open to new stores")
}

// healthyKeep is how long a cluster counts as healthy after a worker has reached it.
const healthyKeep = time.Minute

// MarkHealthy records that a worker has just reached a cluster: healthy clusters get new stores first.
func (r *Recovery) MarkHealthy(ctx context.Context, cluster string) error {
	return redisconn.WrapError(r.redis.Set(ctx, keyClusterHealthy(cluster), "1", healthyKeep).Err())
}
