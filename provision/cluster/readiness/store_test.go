package readiness

import (
	"testing"

	"orchestrator/provision"
)

func testStore(generation int64) provision.Store {
	return provision.Store{Generation: generation, Request: provision.Request{
		StoreID: "Store.1_x", Name: "shop", Engine: "tiny", Namespace: "store-1", Host: "shop.example",
		StoreURL: "https://shop.example", Action: provision.OpProvision,
	}}
}

func wantCode(t *testing.T, err error, want provision.Code) {
	t.Helper()
	if err == nil || provision.CodeOf(err) != want {
		t.Fatalf("error %v has the code %q, want %q", err, provision.CodeOf(err), want)
	}
}
