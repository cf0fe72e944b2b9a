package queue

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"orchestrator/provision"
)

// places is what the script has to know of the clusters for a request, or "" where there is one only.
type places struct {
	Clusters   provision.Clusters `json:"clusters"`
	Candidates []string           `json:"candidates"`
	Named      string             `json:"named"`
	All        bool               `json:"all"` // these are the installation's clusters
}

func (r *Records) places(req provision.Request) string {
	p := places{Clusters: r.placement.Clusters, Candidates: r.placement.Candidates(req), Named: req.Cluster, All: true}
	if len(p.Clusters) == 0 {
		if req.Cluster == "" {
			return ""
		}
		p = places{provision.Clusters{{Name: req.Cluster, Weight: 1}}, []string{req.Cluster}, req.Cluster, false}
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic("queue: names and numbers did not marshal: " + err.Error())
	}
	return string(text)
}

func rebuilding(answer []string) error {
	if cluster := answer[1]; cluster != "" {
		return provision.Errorf(provision.CodeUnavailable,
			"the records are not whole: the store may live on cluster %s, from which they were not rebuilt yet", cluster)
	}
	return provision.Errorf(provision.CodeUnavailable,
		"the records are not whole: a worker rebuilds them from the cluster at its start, within seconds")
}

func closed(req provision.Request) error {
	if req.Cluster != "" {
		return provision.Errorf(provision.CodeInvalid, "cluster %s is closed to new stores; name another one, or none", req.Cluster)
	}
	return provision.Errorf(provision.CodeUnavailable, "no cluster that may take this store is open to new ones")
}

// upKeep is for how long a cluster counts as reached.
const upKeep = time.Minute

// Reached notes that a worker has reached a cluster just now: new stores go to such clusters first.
func (r *Records) Reached(ctx context.Context, cluster string) error {
	return redisError(r.redis.Set(ctx, keyUp+scriptName(cluster), "1", upKeep).Err())
}

// scriptName is the name of a cluster in the scripts, clusterOf the one here: "" is the default cluster's.
func scriptName(cluster string) string {
	if cluster == "" {
		return provision.DefaultCluster
	}
	return cluster
}

func clusterOf(name string) string {
	if name == provision.DefaultCluster {
		return ""
	}
	return name
}

// where says on which cluster a run has to be, as the scripts do.
func where(record map[string]string, op provision.Op) string {
	if op == provision.OpDelete && record["search"] != "" {
		first, _, _ := strings.Cut(record["search"], " ")
		return clusterOf(first)
	}
	return clusterOf(record["cluster"])
}
