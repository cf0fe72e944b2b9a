package ingest

import (
	"errors"
	"time"

	"orchestrator/provision"
)

// fleetExamples are the responses of the routes about many stores at once.
func fleetExamples() map[string]map[string]example {
	going := fake{rollout: provision.Rollout{RolloutPlan: provision.RolloutPlan{Engine: "medusa", Waves: []string{"1"}}, State: provision.RolloutRunning, StartedAt: time.Now(),
		Editions: map[string]string{"eu": "e"}, Errors: map[string]string{"s": "x"}}}
	refused := fake{err: provision.Errorf(provision.CodeConflict, "a rollout is under way")}
	away, broken := fake{err: provision.Errorf(provision.CodeUnavailable, "away")}, fake{err: errors.New("x")}
	changes := map[string]example{
		"202": {fake: going}, "401": {noToken: true}, "403": {noScope: true}, "404": {}, "409": {fake: refused}, "500": {fake: broken}, "503": {fake: away},
	}
	return map[string]map[string]example{
		"GET /creators/{creator_id}": {"200": {}, "401": {noToken: true}, "403": {noScope: true}, "500": {fake: broken}, "503": {fake: away}},
		"POST /creators/{creator_id}/quota": {
			"200": {body: `{"most":7}`}, "400": {body: "{"}, "401": {noToken: true}, "403": {noScope: true}, "422": {body: `{"most":"x"}`},
			"500": {fake: broken}, "503": {fake: away},
		},
		"GET /rollout": {"200": {fake: going}, "401": {noToken: true}, "403": {noScope: true}, "404": {}, "500": {fake: broken}, "503": {fake: away}},
		"POST /rollout": {
			"202": {body: `{"engine":"medusa"}`, fake: going}, "400": {body: "{"}, "401": {body: `{"engine":"medusa"}`, noToken: true},
			"403": {body: `{"engine":"medusa"}`, noScope: true}, "409": {body: `{"engine":"medusa"}`, fake: refused}, "422": {body: "{}"},
			"500": {body: `{"engine":"medusa"}`, fake: broken}, "503": {body: `{"engine":"medusa"}`, fake: away},
		},
		"POST /rollout/pause":  changes,
		"POST /rollout/resume": changes,
		"POST /rollout/abort":  changes,
		"GET /summary": {
			"200": {fake: fake{}},
			"401": {fake: fake{}, noToken: true},
			"403": {fake: fake{}, noScope: true},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: fake{err: provision.Errorf(provision.CodeUnavailable, "away")}},
		},
		"GET /findings": {
			"200": {path: "/findings?kind=drifted", fake: fake{}},
			"400": {path: "/findings?a;b"},
			"401": {path: "/findings?kind=drifted", fake: fake{}, noToken: true},
			"403": {path: "/findings?kind=drifted", fake: fake{}, noScope: true},
			"422": {path: "/findings?kind=lonely"},
			"500": {path: "/findings?kind=drifted", fake: fake{err: errors.New("x")}},
			"503": {path: "/findings?kind=drifted", fake: fake{err: provision.Errorf(provision.CodeUnavailable, "away")}},
		},
		"GET /holds": {
			"200": {fake: fake{}},
			"401": {noToken: true},
			"403": {noScope: true},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: fake{err: provision.Errorf(provision.CodeUnavailable, "away")}},
		},
		"POST /holds/{cluster}/{engine}/release": {
			"200": {fake: fake{held: []provision.Hold{{Cluster: "eu", Engine: "medusa", Code: provision.CodeImage, Error: "x", Stores: 1}}}},
			"401": {noToken: true},
			"403": {noScope: true},
			"404": {},
			"500": {fake: fake{err: errors.New("x")}},
			"503": {fake: fake{err: provision.Errorf(provision.CodeUnavailable, "away")}},
		},
	}
}
