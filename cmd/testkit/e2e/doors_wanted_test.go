//go:build realcluster

package e2e

import "slices"

// wanted says whether a door should be open from a place. What is not listed is closed.
func (d *doors) wanted(place, door string) want {
	switch {
	case slices.Contains(selves[place], door), place == "outside" && d.outside.routed && slices.Contains(besideIt, door):
		return same
	case slices.Contains(d.openFrom(place), door):
		return open
	case slices.Contains(d.eitherFrom(place), door):
		return either
	}
	return closed
}

// selves are the doors that lead to the place itself.
var selves = map[string][]string{
	"A-shop": {"A's shop"}, "A-db": {"A's database"}, "B-shop": {"B's shop"}, "C-shop": {"C's shop"}, "C-db": {"C's database"},
	"ingest": {"ingest", "ingest's admin port"}, "worker": {"worker's admin port"}, "monitor": {"monitor"}, "redis": {"Redis"}, "backend": {"the backend"},
}

// besideIt are the doors that lead to the network namespace that stands in for outside.
var besideIt = append(slices.Clone(public), "metadata address")

var (
	apiServer = []string{"API server's Service", "API server's address"}
	public    = []string{"a public address, port 443", "a public address, port 80"}
	// nodes are doors of the cluster's nodes and its surroundings, which no policy of ours is in front of.
	nodes   = slices.Concat(apiServer, public, []string{"DNS", "kubelet", "metadata address", "A's shop by the ingress"})
	theirs  = append(slices.Clone(nodes), "the backend")
	shops   = []string{"A's shop", "B's shop", "C's shop"}
	service = []string{"Redis", "ingest", "ingest's admin port", "worker's admin port", "monitor"}
)

// openFrom are the doors that should be open from a place.
func (d *doors) openFrom(place string) []string {
	switch place {
	case "A-shop":
		return []string{"DNS", public[0], "A's database"}
	case "B-shop":
		return []string{"DNS", public[0], "B's database"}
	case "C-shop":
		return []string{"DNS", public[0], "C's database", "C's Valkey"}
	case "ingest", "monitor":
		return []string{"DNS", "Redis"}
	case "worker": // the API server and the backend may be anywhere, unless networkPolicy.apiServerTo and backendTo say where
		return slices.Concat([]string{"DNS", "Redis", "the backend"}, apiServer, public)
	case "gateway":
		return slices.Concat(theirs, shops)
	case "backend":
		return append(slices.Clone(theirs), "ingest")
	case "stranger":
		return theirs
	case "outside":
		if d.outside.routed {
			return []string{"A's shop by the ingress", "the backend"}
		}
		return []string{"A's shop by the ingress"}
	}
	return nil // a database, Redis, and a pod in a store's namespace that is none of the store's
}

// eitherFrom are the doors that say nothing about the policies when they are open from a place.
func (d *doors) eitherFrom(place string) []string {
	switch place {
	case "node": // policies do not stop a node from its own pods, whose probes come from there
		return d.names()
	case "outside":
		return theirs
	case "worker": // by the backend's port, where that is the same
		return []string{"A's shop by the ingress"}
	}
	return nil
}

func (d *doors) names() (all []string) {
	for _, o := range d.doors {
		all = append(all, o.name)
	}
	return all
}
