package provision

import (
	"strings"
	"testing"
)

func TestValidateKeepsReservedHosts(t *testing.T) {
	policy := testPolicy
	policy.ReservedHosts = []string{"api.example.com", ".intern.example.com"}
	policy.AllowedHostSuffixes = []string{"example.com", ".shops.example.net"}
	for host, allowed := range map[string]bool{
		"shop.example.com":       true,
		"a.b.example.com":        true,
		"a.shops.example.net":    true,
		"x.api.example.com":      true, // a rule without a dot names one host
		"intern.example.com":     true,
		"api.example.com":        false,
		"a.intern.example.com":   false,
		"b.a.intern.example.com": false,
		"example.com":            false, // the domain itself is not below it
		"shops.example.net":      false,
		"notexample.com":         false,
		"example.com.evil.test":  false,
	} {
		r := validRequest()
		r.Host, r.StoreURL = host, "https://"+host
		if errs := r.Validate(policy); (errs == nil) != allowed || !allowed && errs[0].Field != "host" {
			t.Errorf("%s: %v, want it allowed: %t", host, errs, allowed)
		}
	}
}

func TestValidateKeepsTheClustersOwnHosts(t *testing.T) {
	for host, allowed := range map[string]bool{
		"kubernetes": false, "kubernetes.default": false, "kubernetes.default.svc": false, "kubernetes.default.svc.cluster.local": false,
		"x.svc": false, "metrics.monitoring.svc": false, "a.cluster.local": false,
		"svc": true, "shop.localhost": true, "svc.example.com": true, "cluster.local.example": true,
	} {
		r := validRequest()
		r.Host, r.StoreURL = host, "https://"+host
		if errs := r.Validate(testPolicy); (errs == nil) != allowed {
			t.Errorf("%s: %v, want it allowed: %t", host, errs, allowed)
		}
	}
}

func TestCheckHostRulesNamesTheRule(t *testing.T) {
	if err := (Policy{ReservedHosts: []string{"a.example", ".b.example"}, AllowedHostSuffixes: []string{"c"}}).CheckHostRules(); err != nil {
		t.Error(err)
	}
	for _, rule := range []string{"", ".", "*.example.com", "Example.com", "https://a", "a b"} {
		if err := (Policy{ReservedHosts: []string{rule}}).CheckHostRules(); err == nil || !strings.Contains(err.Error(), `"`+rule+`"`) {
			t.Errorf("%q: %v", rule, err)
		}
	}
}
