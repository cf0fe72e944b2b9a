package cluster

import (
	"testing"

	"orchestrator/provision"
)

func TestClusterCheckNeedsInformersAndAPIServer(t *testing.T) {
	api, c := newFakeAPI(t)
	wantCode(t, c.Check(t.Context()), provision.CodeUnavailable)
	start(t, c)
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	api.answer(func(string, string, int) int { return 503 })
	wantCode(t, c.Check(t.Context()), provision.CodeUnavailable)
}
