package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestPostIsAcceptedAtBothPaths(t *testing.T) {
	for _, path := range []string{"/", "/orchestrate", "/?x=1", "/?retain_data=false"} {
		r := newRig(t, &fake{})
		a := r.send("POST", path, store(nil))
		want := map[string]any{
			"ok": true, "accepted": true, "store_id": "s-1", "action": "provision",
			"generation": 1700000000123., "task_id": "1700000000123.s-1",
		}
		if diff := cmp.Diff(want, a.body); a.status != 202 || diff != "" {
			t.Errorf("POST %s: %d %s", path, a.status, diff)
		}
		if len(r.got) != 1 {
			t.Errorf("POST %s: handed over %d times, want once", path, len(r.got))
		}
	}
}

func TestPostHandsOverEveryField(t *testing.T) {
	r := newRig(t, &fake{})
	a := r.send("POST", "/", store(map[string]any{
		"engine": "medusa", "base_url": "https://api.example.com/v1", "creator_id": "Jürgen 7", "action": "provision",
		"settings": map[string]any{"title": "Käse & \"Brot\" 🧀", "admin_email": "o@example.com", "currency": "EUR", "country": "DE", "locale": "de_DE", "sample_product": true},
	}))
	if a.status != 202 {
		t.Fatal(a.status, a.raw)
	}
	want := []provision.Request{{
		StoreID: "s-1", Name: "shop-1", Engine: "medusa", Namespace: "store-1", Host: "shop.example.com", StoreURL: "https://shop.example.com",
		BaseURL: "https://api.example.com/v1", CreatorID: "Jürgen 7", Action: provision.OpProvision,
		Settings: provision.Settings{Title: "Käse & \"Brot\" 🧀", AdminEmail: "o@example.com", Currency: "EUR", Country: "DE", Locale: "de_DE", SampleProduct: true},
	}}
	if diff := cmp.Diff(want, r.got); diff != "" {
		t.Error(diff)
	}
}

// All of these are the same request: delete s-1.
func TestAcceptNeedsOnlyTheStoreIDToDelete(t *testing.T) {
	tests := []struct{ method, path, body string }{
		{"DELETE", "/stores/s-1", ""},
		{"DELETE", "/stores/s%2D1", ""},
		{"DELETE", "/stores/s-1?retain_data=false", ""},
		{"DELETE", "/stores/s-1", `{}`},
		{"DELETE", "/stores/s-1", `{"store_id":"s-1","action":"delete","retain_data":false}`},
		{"POST", "/", `{"store_id":"s-1","action":"delete"}`},
		{"POST", "/orchestrate", `{"store_id":"s-1","action":"delete","retain_data":null}`},
		{"POST", "/", `{"store_id":"s-1","action":"delete","name":"NOT A NAME","engine":7,"settings":[],"host":"kube-system"}`},
	}
	for _, test := range tests {
		r := newRig(t, &fake{})
		a := r.send(test.method, test.path, test.body)
		if a.status != 202 || a.body["action"] != "delete" || a.body["store_id"] != "s-1" || a.body["task_id"] != "1700000000123.s-1" {
			t.Errorf("%v: %d %s", test, a.status, a.raw)
		}
		if diff := cmp.Diff([]provision.Request{{StoreID: "s-1", Action: provision.OpDelete}}, r.got); diff != "" {
			t.Errorf("%v: %s", test, diff)
		}
	}
}

func TestRetainDataReachesTheAcceptor(t *testing.T) {
	tests := []struct{ method, path, body string }{
		{"POST", "/", `{"store_id":"s-1","action":"delete","retain_data":true}`},
		{"POST", "/?retain_data=true", `{"store_id":"s-1","action":"delete","retain_data":true,"name":"NOT A NAME"}`},
		{"DELETE", "/stores/s-1", `{"retain_data":true}`},
		{"DELETE", "/stores/s-1?retain_data=true", ""},
		{"DELETE", "/stores/s-1?retain_data=true", `{}`},
		{"DELETE", "/stores/s-1?retain_data=true", `{"retain_data":true}`},
	}
	for _, test := range tests {
		r := newRig(t, &fake{})
		a := r.send(test.method, test.path, test.body)
		if a.status != 202 || a.body["action"] != "delete" {
			t.Errorf("%v: %d %s", test, a.status, a.raw)
		}
		if diff := cmp.Diff([]provision.Request{{StoreID: "s-1", Action: provision.OpDelete, RetainData: true}}, r.got); diff != "" {
			t.Errorf("%v: %s", test, diff)
		}
	}
}

// A caller that asks for its data to be kept, in whatever way, must never get a delete of the data.
func TestRetainDataIsNeverIgnored(t *testing.T) {
	tests := []struct{ method, path, body string }{
		{"POST", "/", store(map[string]any{"retain_data": true})},
		{"POST", "/", `{"store_id":"s-1","action":"delete","retain_data":"true"}`},
		{"POST", "/", `{"store_id":"s-1","action":"delete","retain_data":1}`},
		{"POST", "/?retain_data=1", `{"store_id":"s-1","action":"delete"}`},
		{"POST", "/?retain_data=true", `{"store_id":"s-1","action":"delete"}`},
		{"POST", "/?retain_data=true", store(nil)},
		{"DELETE", "/stores/s-1?retain_data=true", `{"retain_data":false}`},
		{"DELETE", "/stores/s-1?retain_data=false", `{"retain_data":true}`},
		{"DELETE", "/stores/s-1?retain_data=TRUE", ""},
		{"DELETE", "/stores/s-1?retain_data", ""},
		{"DELETE", "/stores/s-1?retain_data=false&retain_data=true", ""},
	}
	for _, test := range tests {
		r := newRig(t, &fake{})
		a := r.send(test.method, test.path, test.body)
		if a.status != 422 || !slices.Equal(a.fields(), []string{"retain_data"}) || len(r.got) != 0 {
			t.Errorf("%v: %d %s, handed over %d times", test, a.status, a.raw, len(r.got))
		}
	}
}

func TestRemoveRefusesInvalidRequests(t *testing.T) {
	tests := []struct {
		path, body string
		status     int
		fields     []string
	}{
		{"/stores/s-1", `{"store_id":"s-2"}`, 422, []string{"store_id"}},
		{"/stores/s-1", `{"action":"provision"}`, 422, []string{"action"}},
		{"/stores/s-1", `{"store_id":5.0}`, 422, []string{"store_id"}},
		{"/stores/s-1", `[]`, 400, nil},
		{"/stores/a..b", "", 422, []string{"store_id"}},
		{"/stores/a%00b", "", 422, []string{"store_id"}},
		{"/stores/%61%252Eb", "", 422, []string{"store_id"}},
		{"/stores/s-1?retain_data=%zz", "", 400, nil},
		{"/stores/", "", 405, nil},
		{"/stores/s-1/status", "", 404, nil},
		{"/stores/s%2F1", "", 404, nil},
	}
	for _, test := range tests {
		r := newRig(t, &fake{})
		a := r.send("DELETE", test.path, test.body)
		if a.status != test.status || !slices.Equal(a.fields(), test.fields) || len(r.got) != 0 {
			t.Errorf("%v: %d %s, handed over %d times", test, a.status, a.raw, len(r.got))
		}
	}
}

func TestPostNamesEveryInvalidField(t *testing.T) {
	tests := []struct {
		body   string
		fields []string
	}{
		{store(map[string]any{"namespace": "kube-system"}), []string{"namespace"}},
		{store(map[string]any{"namespace": "default"}), []string{"namespace"}},
		{store(map[string]any{"namespace": "orchestrator"}), []string{"namespace"}},
		{store(map[string]any{"engine": "shopify"}), []string{"engine"}},
		{store(map[string]any{"store_url": "https://other.example.com"}), []string{"store_url"}},
		{store(map[string]any{"store_url": "https://me:secret@shop.example.com"}), []string{"store_url"}},
		{store(map[string]any{"base_url": "https://me:secret@api.example.com"}), []string{"base_url"}},
		{store(map[string]any{"host": "*.example.com"}), []string{"host", "store_url"}},
		{store(map[string]any{"action": "upgrade"}), []string{"action"}},
		{store(map[string]any{"action": ""}), []string{"action"}},
		{store(map[string]any{"settings": map[string]any{"currency": "eur", "country": 4.9}}), []string{"settings.country", "settings.currency"}},
		{store(map[string]any{"settings": "none"}), []string{"settings"}},
		{store(map[string]any{"name": 5.5, "creator_id": true, "host": []string{}}), []string{"name", "host", "creator_id", "store_url"}},
		{`{}`, []string{"store_id", "name", "engine", "namespace", "host", "store_url"}},
		{`{"action":"delete"}`, []string{"store_id"}},
		{`{"action":"delete","store_id":"../x"}`, []string{"store_id"}},
		{`{"action":"delete","store_id":{"a":1}}`, []string{"store_id"}},
	}
	for _, test := range tests {
		r := newRig(t, &fake{})
		a := r.send("POST", "/", test.body)
		if a.status != 422 || len(r.got) != 0 {
			t.Errorf("%s: %d, handed over %d times", test.body, a.status, len(r.got))
		}
		if diff := cmp.Diff(test.fields, a.fields()); diff != "" {
			t.Errorf("%s: %s", test.body, diff)
		}
		for _, field := range test.fields {
			if detail, _ := a.body["detail"].(string); !strings.Contains(detail, field) {
				t.Errorf("%s: the detail does not name %s: %q", test.body, field, detail)
			}
		}
	}
}

func TestAcceptorErrorsBecomeProblems(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.7:6379: password hunter2")
	tests := []struct {
		err        error
		status     int
		kind       string
		detail     string
		retryAfter string
	}{
		{provision.Errorf(provision.CodeConflict, "host is held by store s-9"), 409, "conflict", "host is held by store s-9", ""},
		{provision.Errorf(provision.CodeInvalid, "no such thing"), 422, "invalid", "no such thing", ""},
		{provision.Wrap(provision.CodeUnavailable, secret, "Redis does not answer"), 503, "unavailable", "Redis does not answer; what was recorded", "5"},
		{fmt.Errorf("accept: %w", provision.Errorf(provision.CodeConflict, "name differs")), 409, "conflict", "name differs", ""},
		{provision.Wrap(provision.CodeInternal, secret, "script failed"), 500, "internal", "request id", ""},
		{secret, 500, "internal", "request id", ""},
	}
	for _, test := range tests {
		r := newRig(t, &fake{err: test.err})
		a := r.send("POST", "/", store(nil))
		detail, _ := a.body["detail"].(string)
		if a.status != test.status || a.body["type"] != "urn:orchestrator:problem:"+test.kind || !strings.Contains(detail, test.detail) {
			t.Errorf("%v: %d %s", test.err, a.status, a.raw)
		}
		if got := a.header.Get("Retry-After"); got != test.retryAfter {
			t.Errorf("%v: Retry-After %q, want %q", test.err, got, test.retryAfter)
		}
		if strings.Contains(a.raw, "hunter2") {
			t.Errorf("%v: the answer shows internals: %s", test.err, a.raw)
		}
	}
}

func TestTimeoutOfTheRecordIsA503(t *testing.T) {
	for _, target := range []string{"POST /", "DELETE /stores/s-1", "GET /stores/s-1", "GET /stores", "GET /readyz"} {
		method, path, _ := strings.Cut(target, " ")
		body := ""
		if method == http.MethodPost {
			body = store(nil)
		}
		a := newRig(t, &fake{hangs: true}).send(method, path, body)
		if a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", target, a.status, a.header)
		}
	}
}
