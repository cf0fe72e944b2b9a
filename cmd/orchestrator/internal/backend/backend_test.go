package backend

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// delivery is a valid one; tests change it.
func delivery(path, body string) *http.Request {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte("01234567890123456789012345678901"))
	mac.Write([]byte("7.1.s." + stamp + "." + body))
	for k, v := range map[string]string{
		"X-Orchestrator-Token": "new", "webhook-id": "7.1.s", "webhook-timestamp": stamp,
		"webhook-signature":         "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
		"X-Orchestrator-Generation": "7", "X-Orchestrator-Sequence": "1",
	} {
		r.Header.Set(k, v)
	}
	return r
}

const ready = `{"status":"READY","url":"http://s.localhost","password":"hunter2xy"}`

func newBackend(t *testing.T, c Config) *Backend {
	t.Helper()
	c.Tokens = []string{"new", "old"}
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func send(b *Backend, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func TestBackendRecordsAtBothPaths(t *testing.T) {
	for _, path := range []string{"/stores/s/status", "/api/stores/s/status"} {
		var received []Callback
		b := newBackend(t, Config{Secret: secret, OnCallback: func(c Callback) { received = append(received, c) }})
		for range 2 {
			if w := send(b, delivery(path, ready)); w.Code != 204 {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		got := b.Callbacks()
		if len(got) != 2 || len(received) != 2 || got[0].Repeated || !got[1].Repeated {
			t.Fatalf("%s: %+v", path, got)
		}
		first := got[0]
		if first.StoreID != "s" || first.Status != "READY" || first.Password != "hunter2xy" || first.Generation != 7 || first.Sequence != 1 || !first.Signed {
			t.Errorf("%s: %+v", path, first)
		}
		if line := got[1].Line(); line != "READY http://s.localhost (password received, signed, delivered again)" {
			t.Errorf("Line is %q", line)
		}
	}
}

func TestBackendRefusesWhatBreaksTheContract(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		change func(http.Header)
		want   int
	}{
		{"no token", ready, func(h http.Header) { h.Del("X-Orchestrator-Token") }, 401},
		{"wrong token", ready, func(h http.Header) { h.Set("X-Orchestrator-Token", "ne") }, 401},
		{"no id", ready, func(h http.Header) { h.Del("webhook-id") }, 400},
		{"other id", ready, func(h http.Header) { h.Set("webhook-id", "7.2.s") }, 400},
		{"no time", ready, func(h http.Header) { h.Del("webhook-timestamp") }, 400},
		{"old", ready, func(h http.Header) { h.Set("webhook-timestamp", "1700000000") }, 400},
		{"no signature", ready, func(h http.Header) { h.Del("webhook-signature") }, 400},
		{"no generation", ready, func(h http.Header) { h.Del("X-Orchestrator-Generation") }, 400},
		{"no sequence", ready, func(h http.Header) { h.Set("X-Orchestrator-Sequence", "0") }, 400},
		{"not JSON", "READY", nil, 400},
		{"another field", `{"status":"DELETED","code":"x"}`, nil, 400},
		{"another status", `{"status":"DONE"}`, nil, 400},
		{"no password", `{"status":"READY","url":"http://s"}`, nil, 400},
		{"no error", `{"status":"FAILED"}`, nil, 400},
		{"a password with a failure", `{"status":"FAILED","error":"x","password":"y"}`, nil, 400},
	}
	for _, test := range tests {
		b := newBackend(t, Config{Secret: secret})
		r := delivery("/api/stores/s/status", test.body)
		if test.change != nil {
			test.change(r.Header)
		}
		if w := send(b, r); w.Code != test.want || len(b.Callbacks()) > 0 {
			t.Errorf("%s: %d %s, want %d", test.name, w.Code, w.Body, test.want)
		}
	}
}

func TestBackendAcceptsTheOldToken(t *testing.T) {
	b := newBackend(t, Config{})
	r := delivery("/stores/s/status", `{"status":"DELETED"}`)
	r.Header.Set("X-Orchestrator-Token", "old")
	if w := send(b, r); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBackendFailsTheFirstDeliveries(t *testing.T) {
	b := newBackend(t, Config{Fail: 2})
	for i, want := range []int{500, 500, 204} {
		if w := send(b, delivery("/stores/s/status", ready)); w.Code != want {
			t.Errorf("delivery %d: %d, want %d", i, w.Code, want)
		}
	}
	if n := len(b.Callbacks()); n != 1 {
		t.Errorf("%d were recorded, want 1", n)
	}
}

func TestBackendListsPasswordsOnlyForTheToken(t *testing.T) {
	b := newBackend(t, Config{})
	send(b, delivery("/stores/s/status", ready))
	send(b, delivery("/stores/other/status", `{"status":"DELETED"}`))
	for token, want := range map[string]string{"": "[hidden]", "bad": "[hidden]", "new": "hunter2xy"} {
		r := httptest.NewRequest("GET", "/callbacks?store_id=s", nil)
		r.Header.Set("X-Orchestrator-Token", token)
		var got struct{ Callbacks []Callback }
		if err := json.Unmarshal(send(b, r).Body.Bytes(), &got); err != nil || len(got.Callbacks) != 1 {
			t.Fatalf("%v, %+v", err, got)
		}
		if got.Callbacks[0].Password != want {
			t.Errorf("with token %q the password is %q, want %q", token, got.Callbacks[0].Password, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []Config{{}, {Tokens: []string{""}}, {Tokens: []string{"a"}, Secret: "whsec_%"}} {
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v) is accepted", c)
		}
	}
}
