//go:build devcluster

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"orchestrator/provision"
	"orchestrator/provision/engine"
)

// fixture is a request as the backend sends it: eight strings. The names are those of a store of its own.
func fixture(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../../ingest/testdata/caller-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var request map[string]string
	if err := json.Unmarshal(text, &request); err != nil || len(request) != 8 {
		t.Fatalf("the fixture has %d fields: %v", len(request), err)
	}
	own, old := store(t, name), request["name"]
	for field, value := range request {
		request[field] = strings.ReplaceAll(value, old, own.Name)
	}
	request["store_id"] = own.StoreID
	return request
}

// A store as the backend requests it, from POST to READY to DELETED. Then the backend removes its own record while the store is
// made: the store is an orphan, whose host no other store gets, until an operator reclaims it.
func TestAForgottenStoreIsReclaimed(t *testing.T) {
	t.Parallel()
	for _, name := range engine.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w := newRig(t), newWorld(t)
			r.start("worker")
			request := fixture(t, name)
			id, s := request["store_id"], provision.Request{Namespace: request["namespace"]}
			r.post(request, http.StatusAccepted)
			if ready := r.awaitStatus(id, provision.StatusReady, 1); ready.URL != request["store_url"] || ready.Password == "" {
				t.Errorf("READY carries url %q and a password of %d characters", ready.URL, len(ready.Password))
			}
			r.remove(id)

			r.backend.forget(id)
			r.post(request, http.StatusAccepted)
			r.eventually("the store is forgotten", soonEnough, func() bool {
				page, err := r.client.Orphans(t.Context(), provision.OrphanForgotten, "", 200)
				return err == nil && slices.ContainsFunc(page.Orphans, func(o provision.Orphan) bool { return o.Store.StoreID == id })
			})
			if text := r.cli("orphans"); !strings.Contains(text, "forgotten  "+id) {
				t.Errorf("orphans prints %q", text)
			}
			again := maps.Clone(request)
			again["store_id"] = id + "-again"
			if answer := r.post(again, http.StatusConflict); !strings.Contains(answer, "host is in use by another live store") {
				t.Errorf("the same name under another id: %s", answer)
			}
			if text := r.cli("reclaim", id, "--older-than", "0s", "--yes"); !strings.Contains(text, id+" will be deleted") {
				t.Errorf("reclaim prints %q", text)
			}
			r.eventually("the namespace is gone", soonEnough, func() bool { return w.gone(s.Namespace) && r.state(id).Status == provision.StatusDeleted })
			if text := r.cli("orphans"); strings.Contains(text, id) {
				t.Errorf("a reclaimed store is listed: %s", text)
			}
			r.post(again, http.StatusAccepted)
			r.awaitStatus(again["store_id"], provision.StatusReady, 1)
			r.remove(again["store_id"])
		})
	}
}

func (r *rig) post(request map[string]string, want int) string {
	r.t.Helper()
	status, body := r.call(http.MethodPost, "/", request)
	if status != want {
		r.t.Fatalf("POST: %d %s, want %d", status, body, want)
	}
	return string(body)
}
