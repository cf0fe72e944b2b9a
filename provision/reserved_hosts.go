package provision

import (
	"fmt"
	"slices"
	"strings"
)

// clusterHosts are names that pods resolve inside the cluster: a shop that claims one would be mistaken for the cluster's own.
var clusterHosts = []string{"kubernetes", "kubernetes.default", ".svc", ".cluster.local"}

// checkAllowedHost returns what is wrong with a valid DNS name as the host of a store, or "".
func (p Policy) checkAllowedHost(host string) string {
	for _, rule := range slices.Concat(clusterHosts, p.ReservedHosts) {
		if hostMatches(rule, host) {
			return fmt.Sprintf("%q is reserved", host)
		}
	}
	below := func(suffix string) bool { return hostMatches("."+strings.TrimPrefix(suffix, "."), host) }
	if len(p.AllowedHostSuffixes) > 0 && !slices.ContainsFunc(p.AllowedHostSuffixes, below) {
		return "must be below one of the domains " + strings.Join(p.AllowedHostSuffixes, ", ")
	}
	return ""
}

// hostMatches reports whether a rule names the host: a rule that begins with a dot names all hosts below a domain, any other one host.
func hostMatches(rule, host string) bool {
	if strings.HasPrefix(rule, ".") {
		return strings.HasSuffix(host, rule)
	}
	return rule == host
}

// CheckHostRules returns what is wrong with the policy's rules about hosts, or nil.
func (p Policy) CheckHostRules() error {
	for _, rule := range slices.Concat(p.ReservedHosts, p.AllowedHostSuffixes) {
		if problem := checkHost(strings.TrimPrefix(rule, ".")); problem != "" {
			return fmt.Errorf("%q %s; a dot in front of it means all hosts below", rule, problem)
		}
	}
	return nil
}
