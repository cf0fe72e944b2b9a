package provision

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DefaultCluster is the cluster of an installation that names none, and of every store that was accepted before it named
// any. In a store's record and request an absent cluster means this one.
const DefaultCluster = "default"

// AnyCluster is no cluster's name: it is in its place in the queue of callbacks that any worker can send, those without a password
// of stores on clusters with names. So a cluster that is gone, and its workers with it, keeps no outcome from the backend.
const AnyCluster = "any"

// Cluster is one of an installation's Kubernetes clusters.
type Cluster struct {
	Name       string `json:"name"`
	Kubeconfig string `json:"-"`      // for workers; "" means the pod's own service account
	Weight     int    `json:"weight"` // its share of the new stores, relative to the others'
	Max        int    `json:"max"`    // closed to new stores from this many on; 0: never
	Closed     bool   `json:"closed"` // to new stores
}

// Clusters are the clusters of an installation. An empty list means one cluster, called [DefaultCluster].
type Clusters []Cluster

// UnmarshalText reads NAME[=KUBECONFIG][;weight=N][;max=N][;closed], several of them comma-separated.
func (c *Clusters) UnmarshalText(text []byte) error {
	*c = nil
	for entry := range entries(string(text)) {
		one, err := parseCluster(entry)
		if err != nil {
			return fmt.Errorf("%q: %w", entry, err)
		}
		if slices.Contains(c.Names(), one.Name) {
			return fmt.Errorf("cluster %s is named twice", one.Name)
		}
		*c = append(*c, one)
	}
	return nil
}

// Names are the clusters' names, in order.
func (c Clusters) Names() []string {
	names := make([]string, len(c))
	for i, one := range c {
		names[i] = one.Name
	}
	return names
}

func parseCluster(text string) (Cluster, error) {
	parts := strings.Split(text, ";")
	c := Cluster{Weight: 1}
	c.Name, c.Kubeconfig, _ = strings.Cut(strings.TrimSpace(parts[0]), "=")
	if !labelRule.MatchString(c.Name) {
		return c, fmt.Errorf("the name of a cluster must be an RFC 1123 label: lower-case letters, digits, '-'")
	}
	if c.Name == AnyCluster {
		return c, fmt.Errorf("no cluster can have the name %q", AnyCluster)
	}
	for _, option := range parts[1:] {
		if err := c.set(strings.TrimSpace(option)); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *Cluster) set(option string) (err error) {
	switch key, value, _ := strings.Cut(option, "="); key {
	case "weight":
		c.Weight, err = strconv.Atoi(value)
	case "max":
		c.Max, err = strconv.Atoi(value)
	case "closed":
		c.Closed = true
		if value != "" {
			err = fmt.Errorf("closed takes no value")
		}
	default:
		return fmt.Errorf("option %q is not one of weight=N, max=N and closed", option)
	}
	if err != nil || c.Weight < 1 || c.Max < 0 {
		return fmt.Errorf("option %q: want weight=N with N from 1, max=N with N from 0, or closed", option)
	}
	return nil
}

// Rule places the new stores that match on certain clusters.
type Rule struct {
	Field    string // one of ruleFields
	Value    string
	Clusters []string
}

// Rules are tried in order; the first that matches decides.
type Rules []Rule

// ruleFields are the fields that a rule may match.
var ruleFields = map[string]func(Request) string{
	"engine":     func(r Request) string { return r.Engine },
	"country":    func(r Request) string { return r.Settings.Country },
	"currency":   func(r Request) string { return r.Settings.Currency },
	"creator_id": func(r Request) string { return r.CreatorID },
}

// UnmarshalText reads FIELD=VALUE:CLUSTER[|CLUSTER…], several of them comma-separated.
func (r *Rules) UnmarshalText(text []byte) error {
	*r = nil
	for entry := range entries(string(text)) {
		condition, clusters, found := strings.Cut(entry, ":")
		field, value, is := strings.Cut(condition, "=")
		if !found || !is || value == "" || clusters == "" || ruleFields[field] == nil {
			return fmt.Errorf("%q: want FIELD=VALUE:CLUSTER[|CLUSTER…], where FIELD is engine, country, currency or creator_id", entry)
		}
		*r = append(*r, Rule{Field: field, Value: value, Clusters: strings.Split(clusters, "|")})
	}
	return nil
}

// entries are the parts of a comma-separated list, without those that are empty.
func entries(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for entry := range strings.SplitSeq(text, ",") {
			if entry = strings.TrimSpace(entry); entry != "" && !yield(entry) {
				return
			}
		}
	}
}

// Placement lists the clusters and decides on which of them a new store may be placed. The zero value has one cluster.
type Placement struct {
	Clusters Clusters
	Rules    Rules
}

// Validate reports rules that name a cluster that does not exist.
func (p Placement) Validate() error {
	names := p.Clusters.Names()
	for _, rule := range p.Rules {
		for _, name := range rule.Clusters {
			if !slices.Contains(names, name) {
				return fmt.Errorf("the rule %s=%s names the cluster %q, which is not one of %s", rule.Field, rule.Value, name, strings.Join(names, ", "))
			}
		}
	}
	return nil
}

// Candidates are the clusters on which a new store of this request may be placed: the one that it names, those of the first
// rule that matches, or all. nil means that there is only one cluster.
func (p Placement) Candidates(r Request) []string {
	if len(p.Clusters) == 0 {
		return nil
	}
	if r.Cluster != "" {
		return []string{r.Cluster}
	}
	for _, rule := range p.Rules {
		if ruleFields[rule.Field](r) == rule.Value {
			return rule.Clusters
		}
	}
	return p.Clusters.Names()
}

// ClusterState is what the API shows about one cluster.
type ClusterState struct {
	Name    string `json:"name"`
	Healthy bool   `json:"healthy"`          // a worker has reached it within the last minute
	Stores  int64  `json:"stores"`           // that live there, retained data included
	Lost    bool   `json:"lost,omitempty"`   // it was given up: no store is placed there, and those that lived there are ended
	Ending  bool   `json:"ending,omitempty"` // not all of them are ended yet
}

// ClusterStates are the installation's clusters.
type ClusterStates struct {
	Clusters []ClusterState `json:"clusters"`
}

// Quota is how many stores a creator has, and may have. Stores that are not gone count, and data that is retained.
type Quota struct {
	CreatorID string `json:"creator_id"`
	Stores    int64  `json:"stores"`
	Most      int64  `json:"most"` // 0: any number
	Own       bool   `json:"own"`  // Most is the creator's own, not what holds for all
}
