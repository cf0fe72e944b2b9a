package ingest

import (
	"net/http/httptest"
	"strings"
	"testing"

	"orchestrator/provision"
)

func TestAuthorizeProtectsEveryRouteOfStores(t *testing.T) {
	for _, target := range []string{"POST /", "POST /orchestrate", "DELETE /stores/s-1", "GET /stores/s-1", "HEAD /stores/s-1", "GET /stores"} {
		method, path, _ := strings.Cut(target, " ")
		for _, token := range []string{"-", "", " ", "wrong", testToken + "x", testToken[1:], strings.ToUpper(testToken), "Bearer " + testToken, testToken + ",the-next-one"} {
			r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}})
			a := r.send(method, path, store(nil), tokenHeader, token)
			if a.status != 401 || a.header.Get("WWW-Authenticate") == "" || a.body["type"] != "urn:orchestrator:problem:unauthorized" {
				t.Errorf("%s with token %q: %d %s", target, token, a.status, a.raw)
			}
			if r.calls != 0 {
				t.Errorf("%s with token %q: the record was read", target, token)
			}
		}
	}
}

// The response must not reveal how close a token came.
func TestAuthorizeAnswersEveryWrongTokenAlike(t *testing.T) {
	r := newRig(t, &fake{})
	want := r.send("POST", "/", "", tokenHeader, "-", "X-Request-Id", "same").raw
	for _, token := range []string{"", "x", testToken[:5]} {
		if got := r.send("POST", "/", "{", tokenHeader, token, "X-Request-Id", "same").raw; got != want {
			t.Errorf("token %q: %s, want %s", token, got, want)
		}
	}
}

func TestTokensAreAllAccepted(t *testing.T) {
	for _, token := range []string{testToken, "the-next-one"} {
		if a := newRig(t, &fake{}).send("POST", "/", store(nil), tokenHeader, token); a.status != 202 {
			t.Errorf("token %q: %d", token, a.status)
		}
	}
}

func TestAuthorizeRefusesATokenSentTwice(t *testing.T) {
	r := newRig(t, &fake{})
	req := httptest.NewRequest("POST", "/", strings.NewReader(store(nil)))
	req.Header.Add(tokenHeader, testToken)
	req.Header.Add(tokenHeader, "wrong")
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	if w.Code != 401 {
		t.Errorf("%d, want 401", w.Code)
	}
}

func TestNewRefusesAnInvalidConfig(t *testing.T) {
	f := &fake{}
	good := Config{Tokens: []string{"t"}, Policy: provision.Policy{Engines: []string{"medusa"}}, Acceptor: f, Repeater: f, Rotator: f, Restorer: f, Backups: f, Protector: f, Reader: f, Replayer: f, Clusters: f, Holds: f, Findings: f, Counter: f, Events: f, Rollouts: f, Quotas: f, Later: f, Readiness: f}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no token":               func(c *Config) { c.Tokens = nil },
		"an empty token":         func(c *Config) { c.Tokens = []string{"t", ""} },
		"a token with a space":   func(c *Config) { c.Tokens = []string{" t"} },
		"a token with a newline": func(c *Config) { c.Tokens = []string{"t\n"} },
		"a token beyond ASCII":   func(c *Config) { c.Tokens = []string{"tökén"} },
		"no engine":              func(c *Config) { c.Policy.Engines = nil },
		"no acceptor":            func(c *Config) { c.Acceptor = nil },
		"no rotator":             func(c *Config) { c.Rotator = nil },
		"no backups":             func(c *Config) { c.Backups = nil },
		"no restorer":            func(c *Config) { c.Restorer = nil },
		"no reader":              func(c *Config) { c.Reader = nil },
		"no replayer":            func(c *Config) { c.Replayer = nil },
		"no clusters":            func(c *Config) { c.Clusters = nil },
		"no findings":            func(c *Config) { c.Findings = nil },
		"no rollouts":            func(c *Config) { c.Rollouts = nil },
		"no quotas":              func(c *Config) { c.Quotas = nil },
		"no later deletes":       func(c *Config) { c.Later = nil },
		"no holds":               func(c *Config) { c.Holds = nil },
		"no readiness":           func(c *Config) { c.Readiness = nil },
	} {
		bad := good
		spoil(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "tökén") {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
}
