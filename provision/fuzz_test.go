package provision

import (
	"slices"
	"testing"
)

// FuzzPlacement reads arbitrary lists of clusters and rules: what is read can be placed on, and every candidate is one of the clusters.
func FuzzPlacement(f *testing.F) {
	for _, seed := range [][2]string{{"eu=/a;weight=2,us", "country=US:us"}, {"eu;closed,us;max=1", "engine=medusa:eu|us"}, {"", ""}, {";", ":"}, {"eu,eu", "x=y:eu"}, {"any", "creator_id=:eu"}} {
		f.Add(seed[0], seed[1], "medusa", "US")
	}
	f.Fuzz(func(t *testing.T, clusters, rules, engine, country string) {
		var p Placement
		if p.Clusters.UnmarshalText([]byte(clusters)) != nil || p.Rules.UnmarshalText([]byte(rules)) != nil || p.Validate() != nil {
			return
		}
		for _, c := range p.Clusters {
			if c.Name == "" || c.Name == AnyCluster || c.Weight < 1 || c.Max < 0 {
				t.Errorf("%q has the cluster %+v", clusters, c)
			}
		}
		for _, name := range p.Candidates(Request{Engine: engine, Settings: Settings{Country: country}}) {
			if !slices.Contains(p.Clusters.Names(), name) {
				t.Errorf("%q is a candidate of %q by %q", name, clusters, rules)
			}
		}
	})
}
