package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"orchestrator/provision"
)

// fakeClusters is an ingest with two clusters.
type fakeClusters struct{ lost string }

func (f *fakeClusters) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "POST /clusters/eu/lost":
		f.lost = "eu"
	case "POST /clusters/eu/found":
		f.lost = ""
	case "GET /clusters":
	default:
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"title":"The request is invalid","status":422,"detail":"cluster asia is not one of this installation's"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(provision.ClusterStates{Clusters: []provision.ClusterState{
		{Name: "eu", Stores: 7, Lost: f.lost == "eu", Ending: f.lost == "eu"}, {Name: "us", Healthy: true, Stores: 3}}})
}

func TestClusters(t *testing.T) {
	f := &fakeClusters{}
	environment(t, f)
	for _, test := range []struct {
		args string
		code int
		says string
		lost string
	}{
		{"clusters", 0, "eu       not reached by a worker  7\nus       healthy                  3", ""},
		{"clusters lose eu", 1, "cluster eu has 7 stores, which would end with it; add --yes", ""},
		{"clusters lose asia", 1, "cluster asia is not one of this installation's", ""},
		{"clusters lose asia --yes", 1, "cluster asia is not one of this installation's", ""},
		{"clusters lose", 2, "takes exactly one name", ""},
		{"clusters lose eu --yes", 0, "lost, its stores are being ended", "eu"},
		{"clusters found eu", 0, "not reached by a worker", ""},
		{"clusters found", 2, "takes exactly one name", ""},
	} {
		code, out, errOut := orchestrator(t, strings.Fields(test.args)...)
		if code != test.code || f.lost != test.lost || !strings.Contains(out+errOut, test.says) {
			t.Errorf("%s: exit code %d, lost %q: %s%s", test.args, code, f.lost, out, errOut)
		}
	}
}
