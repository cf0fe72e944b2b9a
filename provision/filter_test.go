package provision_test

import (
	"testing"

	"orchestrator/provision"
)

func TestAFilterChooses(t *testing.T) {
	s := provision.State{StoreID: "Shop-1", Name: "name-1", Host: "one.example.com", Engine: "medusa", CreatorID: "c", Status: provision.StatusFailed, Code: provision.CodeImage}
	deleted, kept := s, s
	deleted.Status, kept.Status, kept.RetainData = provision.StatusDeleted, provision.StatusDeleted, true
	for name, c := range map[string]struct {
		filter provision.StoreFilter
		store  provision.State
		want   bool
	}{
		"nothing":                    {provision.StoreFilter{}, s, true},
		"all of it":                  {provision.StoreFilter{Status: provision.StatusFailed, Code: provision.CodeImage, Engine: "medusa", Cluster: "default", Creator: "c", Query: "shop"}, s, true},
		"another status":             {provision.StoreFilter{Status: provision.StatusReady}, s, false},
		"another code":               {provision.StoreFilter{Code: provision.CodeQuota}, s, false},
		"another engine":             {provision.StoreFilter{Engine: "woocommerce"}, s, false},
		"another cluster":            {provision.StoreFilter{Cluster: "eu"}, s, false},
		"another creator":            {provision.StoreFilter{Creator: "d"}, s, false},
		"a name":                     {provision.StoreFilter{Query: "NAME"}, s, true},
		"a host":                     {provision.StoreFilter{Query: "one.ex"}, s, true},
		"the middle of a name":       {provision.StoreFilter{Query: "ame"}, s, false},
		"deleted, of all":            {provision.StoreFilter{}, deleted, true},
		"deleted, of those that are": {provision.StoreFilter{Status: provision.StatusDeleted}, deleted, true},
		"deleted, of an engine":      {provision.StoreFilter{Engine: "medusa"}, deleted, false},
		"retained data":              {provision.StoreFilter{Engine: "medusa"}, kept, true},
	} {
		if got := c.filter.Matches(c.store); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
