package ingest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

// FuzzSubmit sends arbitrary bodies: no panic, no 5xx, and whatever reaches the Acceptor is valid.
func FuzzSubmit(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	r := newRig(f, &fake{})
	f.Fuzz(func(t *testing.T, body []byte) {
		r.got = nil
		r.log.Reset()
		switch a := r.send("POST", "/", string(body)); a.status {
		case 202:
			if len(r.got) != 1 || r.got[0].Validate(provision.Policy{Engines: []string{"woocommerce", "medusa"}, Clusters: []string{"eu", "us"}}) != nil {
				t.Errorf("handed over %v", r.got)
			}
		case 400, 413, 422:
			if len(r.got) != 0 {
				t.Errorf("%d, but handed over %v", a.status, r.got)
			}
		default:
			t.Errorf("%d %s", a.status, a.raw)
		}
	})
}

// FuzzDecode decodes arbitrary bodies, encodes the result and decodes it again: the request must be the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		first, bad, err := decode(body, provision.Request{Action: provision.OpProvision})
		if err != nil || len(bad) > 0 {
			return
		}
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		second, bad, err := decode(text, provision.Request{})
		if err != nil || len(bad) > 0 {
			t.Fatalf("what was written cannot be read: %v %v: %s", err, bad, text)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}

func seeds() []string {
	return []string{
		"", "{}", "[]", "null", `"a"`, "1e999", store(nil), store(nil) + "{}", store(map[string]any{"retain_data": true}),
		store(map[string]any{"settings": map[string]any{"title": "Käse 🧀", "currency": "EUR", "sample_product": true}, "x": []any{nil, 1, map[string]any{"a": "b"}}}),
		`{"store_id":"s-1","action":"delete"}`, `{"store_id":null,"Store_ID":"a","action":5,"settings":[]}`,
		`{"a":1,"a":2}`, `{"a":"\ud83e\uddc0\ud83e"}`, `{"a":"\\\"\u0000\/"}`, "{\"a\":\"\xff\"}", "\ufeff{}",
	}
}
