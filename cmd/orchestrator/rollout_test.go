package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// fakeRollout is an ingest with a rollout that has failed in part.
type fakeRollout struct{ asked []string }

func (f *fakeRollout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	if strings.Contains(string(body), `"nothing"`) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"title":"The request is invalid","status":422,"detail":"engine must be one of medusa, woocommerce"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(provision.Rollout{
		RolloutPlan: provision.RolloutPlan{Engine: "woocommerce", Waves: []string{"1", "10%"}}, State: provision.RolloutPaused, Reason: "4 stores have failed, more than 3",
		Wave: 2, Total: 100, Todo: 85, Doing: 1, Done: 8, Failed: 4, Skipped: 2, Editions: map[string]string{"default": "ab12"}, StartedAt: time.Now().Add(-time.Minute),
		Errors: map[string]string{"shop-9c": "image shop:9 not found; it was taken back, and its shop can be used"}})
}

func TestRollout(t *testing.T) {
	f := &fakeRollout{}
	environment(t, f)
	for _, test := range []struct {
		args string
		code int
		says string
		asks string
	}{
		{"rollout", 0, "4 stores have failed, more than 3", "GET /rollout"},
		{"rollout", 0, "100: 8 upgraded, 4 failed, 2 left out, 1 being upgraded, 85 to come", "GET /rollout"},
		{"rollout", 0, "2 of 3 (1, 10%, all)", "GET /rollout"},
		{"rollout", 0, "shop-9c  image shop:9 not found", "GET /rollout"},
		{"rollout -o json", 0, `"state":"paused"`, "GET /rollout"},
		{"rollout start woocommerce", 0, "paused", `POST /rollout {"engine":"woocommerce"}`},
		{"rollout start medusa --waves 1,50% --canary a,b --parallel 2 --max-failures 0 --soak 90s --without-backup", 0, "paused",
			`POST /rollout {"canaries":["a","b"],"engine":"medusa","max_failures":0,"parallel":2,"soak_seconds":90,"waves":["1","50%"],"without_backup":true}`},
		{"rollout start nothing", 1, "engine must be one of medusa, woocommerce", `POST /rollout {"engine":"nothing"}`},
		{"rollout pause", 0, "paused", "POST /rollout/pause"},
		{"rollout resume", 0, "paused", "POST /rollout/resume"},
		{"rollout abort", 0, "paused", "POST /rollout/abort"},
	} {
		f.asked = nil
		code, out, errOut := orchestrator(t, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out+errOut, test.says) || len(f.asked) != 1 || f.asked[0] != test.asks {
			t.Errorf("%s: exit code %d, asked %q: %s%s", test.args, code, f.asked, out, errOut)
		}
	}
	if code, _, errOut := orchestrator(t, "rollout", "start"); code != 2 || !strings.Contains(errOut, "takes exactly one engine") {
		t.Errorf("without an engine: %d %s", code, errOut)
	}
}
