package worker

import (
	"testing"

	"orchestrator/provision"
	"orchestrator/worker/record"
)

func TestOutcomeOfARun(t *testing.T) {
	failed := provision.Errorf(provision.CodeQuota, "x")
	for want, c := range map[string]struct {
		op  provision.Op
		err error
		a   decision
	}{
		"READY":         {provision.OpProvision, nil, decision{final: true}},
		"DELETED":       {provision.OpDelete, nil, decision{final: true}},
		"next-cluster":  {provision.OpDelete, nil, decision{final: true, nextCluster: true}}, // nothing is deleted yet
		"DELETE_FAILED": {provision.OpDelete, failed, decision{final: true}},
		"unavailable":   {provision.OpDelete, provision.Errorf(provision.CodeUnavailable, "x"), decision{retry: true}},
	} {
		if got := outcomeOf(record.Run{Op: c.op}, c.err, c.a); got != want {
			t.Errorf("%+v is counted as %s, want %s", c, got, want)
		}
	}
}
