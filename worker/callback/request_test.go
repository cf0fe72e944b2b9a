package callback

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"orchestrator/provision"
)

func TestSendBodyIsExactlyTheContract(t *testing.T) {
	for name, c := range map[string]struct {
		message Message
		want    string
	}{
		"READY": {Message{Status: provision.StatusReady, URL: "https://a.example", Password: "p"},
			`{"status":"READY","url":"https://a.example","password":"p"}`},
		"FAILED":        {Message{Status: provision.StatusFailed, Error: "why"}, `{"status":"FAILED","error":"why"}`},
		"DELETED":       {Message{Status: provision.StatusDeleted}, `{"status":"DELETED"}`},
		"DELETE_FAILED": {Message{Status: provision.StatusDeleteFailed, Error: "why"}, `{"status":"DELETE_FAILED","error":"why"}`},
		"PROVISIONING":  {Message{Status: provision.StatusProvisioning}, `{"status":"PROVISIONING"}`},
		"DELETING":      {Message{Status: provision.StatusDeleting}, `{"status":"DELETING"}`},
	} {
		t.Run(name, func(t *testing.T) {
			base, requests := backend(t, says(204, ""))
			c.message.StoreID = "a"
			if r := send(t, base, c.message); r != (Result{Outcome: Delivered, HTTPStatus: 204}) {
				t.Errorf("result %+v", r)
			}
			if r := <-requests; r.body != c.want {
				t.Errorf("body %s, want %s", r.body, c.want)
			}
		})
	}
}

func TestSendHeadersCarryWhatTheBodyDoesNot(t *testing.T) {
	base, requests := backend(t, says(200, "ok"))
	newTestSender(t, base, testSecret).Send(context.Background(), ready())
	r := <-requests
	want := map[string]string{
		"Content-Type":              "application/json",
		"X-Orchestrator-Token":      testToken,
		"X-Orchestrator-Generation": "7",
		"X-Orchestrator-Sequence":   "2",
		"Webhook-Id":                "7.2.shop-1",
		"Webhook-Timestamp":         "1614265330",
	}
	for name, value := range want {
		if diff := cmp.Diff([]string{value}, r.header.Values(name)); diff != "" {
			t.Errorf("header %s: %s", name, diff)
		}
	}
	if r.method != http.MethodPost || r.path != "/api/stores/shop-1/status" {
		t.Errorf("%s %s", r.method, r.path)
	}
}

func TestSendSignatureIsWhatReceiversVerify(t *testing.T) {
	base, requests := backend(t, says(200, ""))
	newTestSender(t, base, testSecret).Send(context.Background(), ready())
	r := <-requests
	verifier, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.VerifyIgnoringTimestamp([]byte(r.body), r.header); err != nil {
		t.Error(err)
	}
}

func TestSendSignsNothingWithoutSecret(t *testing.T) {
	base, requests := backend(t, says(200, ""))
	send(t, base, ready())
	if r := <-requests; len(r.header.Values("webhook-signature")) != 0 {
		t.Errorf("signed with %q", r.header.Get("webhook-signature"))
	}
}

func TestSendPathIsTheSameWithAndWithoutAPI(t *testing.T) {
	for base, want := range map[string]string{
		"http://backend":                  "http://backend/api/stores/s/status",
		"http://backend/":                 "http://backend/api/stores/s/status",
		"http://backend/api":              "http://backend/api/stores/s/status",
		"http://backend/api/":             "http://backend/api/stores/s/status",
		"http://backend//api//":           "http://backend/api/stores/s/status",
		"https://backend:8443/v2":         "https://backend:8443/v2/api/stores/s/status",
		"https://backend:8443/v2/api/":    "https://backend:8443/v2/api/stores/s/status",
		"http://backend/webapi":           "http://backend/webapi/api/stores/s/status",
		"http://backend/api/v1":           "http://backend/api/v1/api/stores/s/status",
		"http://api":                      "http://api/api/stores/s/status",
		"http://api/":                     "http://api/api/stores/s/status",
		"http://api/api":                  "http://api/api/stores/s/status",
		"http://[::1]:8080/api":           "http://[::1]:8080/api/stores/s/status",
		"http://[fe80::1%25eth0]/api":     "http://[fe80::1%25eth0]/api/stores/s/status",
		"http://backend/a%2Fb/api":        "http://backend/a%2Fb/api/stores/s/status",
		"http://backend/#":                "http://backend/api/stores/s/status",
		"HTTP://backend/api":              "http://backend/api/stores/s/status",
		"http://user:secret@backend/api/": "http://user:secret@backend/api/stores/s/status",
	} {
		s, err := NewSender(base, testToken, "", TLSFiles{})
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		req, err := s.request(context.Background(), Message{StoreID: "s"})
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		if got := req.URL.String(); got != want {
			t.Errorf("%s becomes %s, want %s", base, got, want)
		}
	}
}

func TestSendPathHoldsTheStoreIDAsOneSegment(t *testing.T) {
	for id, want := range map[string]string{
		"a.b_c-D": "/api/stores/a.b_c-D/status",
		"0.1_2":   "/api/stores/0.1_2/status",
		"a/b":     "/api/stores/a%2Fb/status", // no valid id; an old record may hold anything
		"a b?c":   "/api/stores/a%20b%3Fc/status",
	} {
		base, requests := backend(t, says(200, ""))
		m := ready()
		m.StoreID = id
		send(t, base, m)
		if r := <-requests; r.path != want {
			t.Errorf("store %q is delivered to %s, want %s", id, r.path, want)
		}
	}
}

func TestNewSenderRefusesInvalidURLs(t *testing.T) {
	for _, base := range []string{"", "backend", "backend:8080", "/api", "ftp://backend", "http://", "http://:8080", "http:backend",
		"http://backend?x=1", "http://backend?", "http://backend#top", "http://back end", "http://[::1"} {
		if _, err := NewSender(base, testToken, "", TLSFiles{}); err == nil {
			t.Errorf("%q is taken as a base", base)
		}
	}
}
