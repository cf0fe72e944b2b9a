package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"orchestrator/provision"
)

func TestShellsCompleteTheIDsOfStores(t *testing.T) {
	var asked string
	environment(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query().Get("q")
		_ = json.NewEncoder(w).Encode(provision.Page{Stores: []provision.State{{StoreID: "shop-1"}, {StoreID: "shop-2"}, {StoreID: "other", Host: "shop-3.example.com"}}})
	}))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"show", "shop-"}, "shop-1 shop-2"},
		{[]string{"show", "shop-1", "shop-"}, ""},
		{[]string{"rotate", "shop-1", "shop-"}, "shop-2"},
		{[]string{"restore", "shop-"}, "shop-1 shop-2"},
		{[]string{"backups", "shop-1", "shop-"}, ""},
		{[]string{"suspend", "--reason", "unpaid", "shop-"}, "shop-1 shop-2"},
		{[]string{"list", "shop-"}, ""},
	} {
		_, out, _ := orchestrator(t, append([]string{"__complete"}, c.args...)...)
		ids, _, _ := strings.Cut(out, ":")
		if got := strings.Join(strings.Fields(ids), " "); got != c.want {
			t.Errorf("%v: completed to %q, want %q", c.args, got, c.want)
		}
	}
	if asked != "shop-" {
		t.Errorf("asked for %q", asked)
	}
}

// TestNothingIsCompletedWithoutTheService: a shell shows no error.
func TestNothingIsCompletedWithoutTheService(t *testing.T) {
	environment(t, http.NotFoundHandler())
	if _, out, _ := orchestrator(t, "__complete", "show", "sh"); !strings.HasPrefix(out, ":4") {
		t.Errorf("printed %q", out)
	}
}
