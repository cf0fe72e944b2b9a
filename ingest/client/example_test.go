package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// A backend submits a store, repeats the request when it cannot know whether that arrived, and reads how the store is.
func Example() {
	ingest := httptest.NewServer(http.HandlerFunc(pretend))
	defer ingest.Close()
	ctx := context.Background()
	c, err := client.New(ingest.URL, "the token")
	if err != nil {
		panic(err)
	}

	body, err := json.Marshal(provision.Request{StoreID: "shop-1", Action: provision.OpProvision, Engine: "medusa", Name: "shop-1", Namespace: "store-shop-1",
		Host: "shop-1.example.com", StoreURL: "https://shop-1.example.com"})
	if err != nil {
		panic(err)
	}
	accepted, err := c.Submit(ctx, 0, body)
	for tries := 1; client.IsTemporary(err) && tries < 3; tries++ { // a real caller waits as long as RetryAfter says
		accepted, err = c.Submit(ctx, 0, body)
	}
	if err != nil {
		panic(err)
	}
	fmt.Println("accepted as generation", accepted.Generation)

	store, err := c.Store(ctx, "shop-1")
	if err != nil {
		panic(err)
	}
	fmt.Println(store.StoreID, "is", store.Status)

	// Only while the store is as it was seen.
	_, err = c.Delete(ctx, "shop-1", store.Generation, client.Deletion{RetainData: true})
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Kind() == client.KindGenerationChanged {
		fmt.Println("not deleted:", p.Detail)
	}
	// Output:
	// accepted as generation 7
	// shop-1 is READY
	// not deleted: the newest generation is 8
}

// pretend answers as ingest does.
func pretend(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"ok":true,"accepted":true,"store_id":"shop-1","action":"provision","generation":7,"task_id":"7.shop-1"}`)
	case http.MethodGet:
		fmt.Fprint(w, `{"store_id":"shop-1","action":"provision","generation":7,"status":"READY"}`)
	default:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusPreconditionFailed)
		fmt.Fprint(w, `{"type":"urn:orchestrator:problem:generation-changed","title":"The store has a newer generation","status":412,"detail":"the newest generation is 8"}`)
	}
}
