package ingest

import (
	"errors"

	"orchestrator/provision"
)

// fleetExamples are the responses of the routes about many stores at once.
func fleetExamples() map[string]map[string]example {
	return map[string]map[string]example{
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
