package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

// scopes are what each route needs; "" is open. A route that is not here fails TestEveryRouteNeedsItsScope.
var scopes = map[string]Scope{
	"GET /": "", "GET /health": "", "GET /healthz": "", "GET /readyz": "", "GET /openapi.yaml": "", "GET /openapi.json": "", "GET /docs": "",
	"GET /summary": ScopeRead, "GET /stores": ScopeRead, "GET /stores/:store_id": ScopeRead, "GET /stores/:store_id/events": ScopeRead, "GET /dead-letters": ScopeRead,
	"POST /": ScopeWrite, "POST /orchestrate": ScopeWrite, "DELETE /stores/:store_id": ScopeWrite,
	"POST /stores/:store_id/retry": ScopeWrite, "POST /stores/:store_id/cancel": ScopeWrite,
	"POST /stores/:store_id/suspend": ScopeWrite, "POST /stores/:store_id/resume": ScopeWrite, "POST /stores/:store_id/rotate": ScopeWrite, "POST /stores/:store_id/restore": ScopeWrite, "POST /stores/:store_id/backup": ScopeWrite,
	"POST /stores/:store_id/protect": ScopeWrite, "POST /stores/:store_id/unprotect": ScopeWrite,
	"GET /orphans": ScopeOperate, "GET /clusters": ScopeOperate, "POST /clusters/:name/lost": ScopeOperate, "POST /clusters/:name/found": ScopeOperate,
	"GET /holds": ScopeOperate, "GET /findings": ScopeOperate,
	"GET /creators/:creator_id": ScopeRead, "POST /creators/:creator_id/quota": ScopeOperate,
	"GET /rollout": ScopeOperate, "POST /rollout": ScopeOperate, "POST /rollout/pause": ScopeOperate, "POST /rollout/resume": ScopeOperate, "POST /rollout/abort": ScopeOperate, "POST /holds/:cluster/:engine/release": ScopeOperate,
	"POST /dead-letters/:id/replay": ScopeOperate,
}

func named(name, token string, scopes ...Scope) NamedToken {
	return NamedToken{name, scopes, sha256.Sum256([]byte(token))}
}

// withTokens is a rig with these tokens beside the backend's.
func withTokens(t *testing.T, tokens ...NamedToken) *rig {
	t.Helper()
	r := newRig(t, &fake{replay: provision.ReplayQueued, state: provision.State{StoreID: "s-1"}, held: make([]provision.Hold, 1), rollout: provision.Rollout{RolloutPlan: provision.RolloutPlan{Engine: "medusa"}}})
	r.rebuild(t, func(c *Config) { c.NamedTokens = tokens })
	return r
}

func TestEveryRouteNeedsItsScope(t *testing.T) {
	r := withTokens(t, named("reader", "r", ScopeRead), named("writer", "w", ScopeWrite), named("operator", "o", ScopeOperate), named("all", "a", allScopes...))
	holders := map[string][]Scope{"r": {ScopeRead}, "w": {ScopeWrite}, "o": {ScopeOperate}, "a": allScopes, testToken: {ScopeRead, ScopeWrite}, "wrong": nil}
	tried := map[string]bool{}
	for _, route := range r.handler.Routes() {
		need, listed := scopes[strings.Replace(route.Method, "HEAD", "GET", 1)+" "+route.Path]
		if !listed {
			t.Errorf("%s %s has no scope in this test", route.Method, route.Path)
			continue
		}
		tried[route.Method+" "+route.Path] = true
		path := strings.NewReplacer(":store_id", "s-1", ":id", "7.1.s-1", ":name", "eu", ":cluster", "eu", ":engine", "medusa", ":creator_id", "c-1").Replace(route.Path)
		if route.Path == "/orphans" {
			path += "?kind=failed"
		}
		if route.Path == "/findings" {
			path += "?kind=drifted"
		}
		body := ""
		if route.Method == "POST" {
			body = store(nil)
		}
		if route.Path == "/creators/:creator_id/quota" {
			body = `{"most":7}`
		}
		if route.Path == "/rollout" {
			body = `{"engine":"medusa"}`
		}
		for token, has := range holders {
			want := "passes"
			switch {
			case need == "":
			case token == "wrong":
				want = "401"
			case !slices.Contains(has, need):
				want = "403"
			}
			a := r.send(route.Method, path, body, tokenHeader, token)
			got := fmt.Sprint(a.status)
			if a.status < 300 {
				got = "passes"
			}
			if got != want {
				t.Errorf("%s %s with a token of %v: %d %s, want %s", route.Method, path, has, a.status, a.raw, want)
			}
			if want == "403" && route.Method != "HEAD" && !strings.Contains(a.raw, "lacks the scope "+string(need)) {
				t.Errorf("%s %s: %s", route.Method, path, a.raw)
			}
		}
	}
	if len(tried) < len(scopes) {
		t.Errorf("%d routes were tried, %d are listed", len(tried), len(scopes))
	}
}

func TestTheBackendOperatesUnlessAnotherTokenDoes(t *testing.T) {
	for _, test := range []struct {
		tokens []NamedToken
		status int
	}{
		{nil, 200}, {[]NamedToken{named("reader", "r", ScopeRead)}, 200}, {[]NamedToken{named("operator", "o", ScopeOperate)}, 403},
	} {
		if a := withTokens(t, test.tokens...).send("GET", "/clusters", ""); a.status != test.status {
			t.Errorf("beside %v: %d %s, want %d", test.tokens, a.status, a.raw, test.status)
		}
	}
}

func TestAuditSaysWhoDidWhat(t *testing.T) {
	r := withTokens(t, named("billing", "b", ScopeWrite, ScopeOperate))
	r.send("POST", "/", store(nil), tokenHeader, "b", "X-Request-Id", "r-1")
	r.send("DELETE", "/stores/s-1", "", "X-Request-Id", "r-2")
	r.send("GET", "/stores/s-1", "", tokenHeader, "b", "X-Request-Id", "r-3")
	r.send("POST", "/clusters/eu/lost", "", tokenHeader, "stolen", "X-Request-Id", "r-4")
	r.send("POST", "/clusters/eu/lost", "", tokenHeader, "b", "X-Request-Id", "r-5")
	r.send("POST", "/dead-letters/7.1.s-1/replay", "", tokenHeader, "b", "X-Request-Id", "r-6")
	r.send("GET", "/stores", "", "X-Request-Id", "r-7") // it changes nothing
	var got []string
	for _, line := range r.logged(t, "audit") {
		got = append(got, fmt.Sprint(line["actor"], " ", line["action"], " ", line["target"], " ", line["result"], " ", line["status"], " ", line["request_id"], " ", line["ip"]))
	}
	want := []string{"billing store.submit s-1 accepted 202 r-1 192.0.2.1", "backend store.delete s-1 accepted 202 r-2 192.0.2.1", "billing read s-1 refused 403 r-3 192.0.2.1",
		" cluster.lose eu refused 401 r-4 192.0.2.1", "billing cluster.lose eu accepted 202 r-5 192.0.2.1", "billing dead-letter.replay s-1 accepted 202 r-6 192.0.2.1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(r.log.String(), "stolen") {
		t.Error("the log has the token that was presented")
	}
}

func TestARequestIsAcceptedAsItsTokens(t *testing.T) {
	r := withTokens(t, named("billing", "b", ScopeWrite))
	r.send("POST", "/", store(nil), tokenHeader, "b", "X-Request-Id", "r-1")
	if want := (provision.Origin{By: "billing", RequestID: "r-1"}); r.origin != want {
		t.Errorf("accepted as coming from %+v", r.origin)
	}
}

func TestParseTokens(t *testing.T) {
	hash := sha256.Sum256([]byte("secret"))
	text := hex.EncodeToString(hash[:])
	got, err := ParseTokens(strings.NewReader("# who may do what\n\nbilling read,write " + text + "\n  ops\toperate   " + strings.ToUpper(text) + "  \r\n"))
	want := []NamedToken{{"billing", []Scope{ScopeRead, ScopeWrite}, hash}, {"ops", []Scope{ScopeOperate}, hash}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	_, err = ParseTokens(strings.NewReader("billing read\nOps operate " + text + "\nbackend read " + text + "\nx admin " + text + "\ny read plain-token\nz read,, " + text + "\nlong read " + text + "00\n"))
	for _, want := range []string{"line 1: want a name, scopes", "line 2: the name", "line 3: the name", "line 4: token x: a scope", "line 5: token y: the third word", "line 6: token z: a scope", "line 7: token long"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "plain-token") {
		t.Errorf("the error shows a token: %v", err)
	}
}
