package ingest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

func TestRolloutPlanHasDefaults(t *testing.T) {
	f := &fake{rollout: provision.Rollout{RolloutPlan: provision.RolloutPlan{Engine: "medusa"}}}
	r := newRig(t, f)
	r.send("POST", "/rollout", `{"engine":"medusa"}`)
	if diff := cmp.Diff(provision.RolloutPlan{Engine: "medusa", Waves: defaultWaves, Parallel: 10, MaxFailures: 3, SoakSeconds: 1800}, f.plan); diff != "" {
		t.Error(diff)
	}
	r.send("POST", "/rollout", `{"engine":"medusa","waves":["3","100%"],"canaries":["a"],"parallel":1,"max_failures":0,"soak_seconds":0,"without_backup":true}`)
	if diff := cmp.Diff(provision.RolloutPlan{Engine: "medusa", Waves: []string{"3", "100%"}, Canaries: []string{"a"}, Parallel: 1, WithoutBackup: true}, f.plan); diff != "" {
		t.Error(diff)
	}
	for _, change := range []provision.RolloutChange{provision.RolloutPause, provision.RolloutResume, provision.RolloutAbort} {
		if a := r.send("POST", "/rollout/"+string(change), ""); a.status != 202 || f.change != change {
			t.Errorf("%s: %d, %s", change, a.status, f.change)
		}
	}
}

func TestRolloutPlanRefuses(t *testing.T) {
	f := &fake{}
	r := newRig(t, f)
	for body, part := range map[string]string{
		`{}`:                                         "engine must be one of",
		`{"engine":"shopware"}`:                      "engine must be one of",
		`{"engine":"medusa","waves":["0"]}`:          "waves must be",
		`{"engine":"medusa","waves":["101%"]}`:       "waves must be",
		`{"engine":"medusa","waves":[5]}`:            "waves",
		`{"engine":"medusa","canaries":["a b"]}`:     "canaries must be",
		`{"engine":"medusa","parallel":0}`:           "parallel must be",
		`{"engine":"medusa","max_failures":-1}`:      "max_failures must not",
		`{"engine":"medusa","soak_seconds":9999999}`: "soak_seconds must be",
		`{"engine":"medusa","soak_seconds":"1h"}`:    "soak_seconds",
		`{"engine":"medusa","without_backup":"yes"}`: "without_backup",
	} {
		if a := r.send("POST", "/rollout", body); a.status != 422 || !strings.Contains(a.raw, part) || f.plan.Engine != "" {
			t.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	r.rebuild(t, func(c *Config) { c.Maintained = false })
	if a := r.send("POST", "/rollout", `{"engine":"medusa"}`); a.status != 422 || !strings.Contains(a.raw, "do no maintenance") {
		t.Errorf("without maintenance: %d %s", a.status, a.raw)
	}
}
