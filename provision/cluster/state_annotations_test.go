package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
)

// TestWhatWasToldIsAnOutcome: a worker that ends after it has recorded an outcome, and before it has saved it, leaves that to others. One of them may have told
// the backend already when Redis loses its data; told twice, a store that was deleted would be deleted twice.
func TestWhatWasToldIsAnOutcome(t *testing.T) {
	const failed = `{"generation":7,"status":"FAILED","code":"image","error":"no image"}`
	for name, c := range map[string]struct {
		outcome, delivered string
		want               *provision.Outcome
		told               bool
	}{
		"nothing":                       {"", "", nil, false},
		"an older generation was told":  {"", "6 READY", nil, false},
		"saved and not told":            {failed, "", &provision.Outcome{Generation: 7, Status: provision.StatusFailed, Code: provision.CodeImage, Error: "no image"}, false},
		"saved and told":                {failed, "7 FAILED", &provision.Outcome{Generation: 7, Status: provision.StatusFailed, Code: provision.CodeImage, Error: "no image"}, true},
		"READY follows a failure":       {`{"generation":7,"status":"READY"}`, "7 FAILED", &provision.Outcome{Generation: 7, Status: provision.StatusReady}, false},
		"told and not saved":            {"", "7 DELETED", &provision.Outcome{Generation: 7, Status: provision.StatusDeleted}, true},
		"told and an older one saved":   {`{"generation":6,"status":"READY"}`, "7 READY", &provision.Outcome{Generation: 7, Status: provision.StatusReady}, true},
		"a failure was told, not saved": {"", "7 FAILED", &provision.Outcome{Generation: 7, Status: provision.StatusFailed, Code: provision.CodeInternal, Error: "the cause was told, and was lost with the data of Redis"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(7)
			ns := &corev1.Namespace{}
			annotateStore(ns, s)
			for key, value := range map[string]string{annotationOutcome: c.outcome, annotationDelivered: c.delivered} {
				if value != "" {
					ns.Annotations[key] = value
				}
			}
			got, ok := savedState(ns)
			if diff := cmp.Diff(c.want, got.Outcome); !ok || got.Delivered != c.told || diff != "" {
				t.Errorf("read %t, delivered %t, outcome (-want +got):\n%s", ok, got.Delivered, diff)
			}
		})
	}
}
