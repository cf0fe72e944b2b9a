package cluster

import (
	"io/fs"
	"os"
	"testing"
	"time"

	"orchestrator/provision"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// tinyCharts holds the chart tiny and a sibling chart that it depends on.
func tinyCharts() fs.FS { return os.DirFS("testdata/charts") }

func testStore(generation int64) provision.Store {
	return provision.Store{Generation: generation, Request: provision.Request{
		StoreID: "Store.1_x", Name: "shop", Engine: "tiny", Namespace: "store-1", Host: "shop.example",
		StoreURL: "https://shop.example", Action: provision.OpProvision,
	}}
}

// tinyRelease is a release of the chart tiny with some values changed.
func tinyRelease(s provision.Store, values map[string]any) provision.Release {
	all := map[string]any{"storeLabel": provision.StoreLabel(s.StoreID)}
	for key, value := range values {
		all[key] = value
	}
	return provision.Release{Chart: "tiny", Values: all, Credentials: []provision.Credential{
		{Key: provision.AdminPassword, Length: 24, Chars: provision.Alphanumeric, Rotates: true},
	}}
}

func wantCode(t *testing.T, err error, want provision.Code) {
	t.Helper()
	if err == nil || provision.CodeOf(err) != want {
		t.Fatalf("error %v has the code %q, want %q", err, provision.CodeOf(err), want)
	}
}
