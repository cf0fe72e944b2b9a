package provision

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClustersAreRead(t *testing.T) {
	for text, want := range map[string]Clusters{
		"":      nil,
		"eu,us": {{Name: "eu", Weight: 1}, {Name: "us", Weight: 1}},
		"eu=/etc/kube/eu.yaml;weight=3;max=500, default=/a=b:/c;closed,": {
			{Name: "eu", Kubeconfig: "/etc/kube/eu.yaml", Weight: 3, Max: 500}, {Name: "default", Kubeconfig: "/a=b:/c", Weight: 1, Closed: true}},
	} {
		var got Clusters
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestClustersThatCannotBeReadAreRefused(t *testing.T) {
	for _, text := range []string{"EU", "=/path", "a.b", "eu,us,eu", "eu;weight=0", "eu;weight=x", "eu;max=-1", "eu;open", "eu;closed=yes", "eu;"} {
		var got Clusters
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestRulesAreRead(t *testing.T) {
	var got Rules
	if err := got.UnmarshalText([]byte("country=US:us|us-2, engine=medusa:eu")); err != nil {
		t.Fatal(err)
	}
	want := Rules{{"country", "US", []string{"us", "us-2"}}, {"engine", "medusa", []string{"eu"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"country=US", "country:us", "country=:us", "country=US:", "host=a:eu"} {
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
	p := Placement{Clusters{{Name: "eu"}}, want}
	if err := p.Validate(); err == nil || !strings.Contains(err.Error(), `"us"`) {
		t.Errorf("a rule for a cluster that there is not: %v", err)
	}
}

func TestCandidates(t *testing.T) {
	p := Placement{Clusters: Clusters{{Name: "eu"}, {Name: "us"}, {Name: "asia"}}}
	if err := p.Rules.UnmarshalText([]byte("country=US:us,engine=medusa:eu|asia,creator_id=x:asia,currency=EUR:eu")); err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]Request{
		"asia":       {Cluster: "asia", Engine: "medusa"},
		"us":         {Engine: "medusa", Settings: Settings{Country: "US"}}, // the first rule that fits
		"eu asia":    {Engine: "medusa"},
		"eu us asia": {Engine: "woocommerce"},
		"eu":         {Settings: Settings{Currency: "EUR"}},
	} {
		if got := strings.Join(p.Candidates(r), " "); got != want {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
	if got := (Placement{}).Candidates(Request{Cluster: "default"}); got != nil {
		t.Errorf("with one cluster: %v", got)
	}
}
