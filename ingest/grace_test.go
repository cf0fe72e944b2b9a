package ingest

import (
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

func TestDeleteWithGrace(t *testing.T) {
	f := &fake{state: provision.State{StoreID: "s-1"}, next: provision.Accepted{Generation: 7, TaskID: "7.s-1"}}
	r := newRig(t, f)
	if a := r.send("DELETE", "/stores/s-1?grace=168h&retain_data=true", "", "If-Match", `"5"`); a.status != 202 || f.grace != 168*time.Hour || !f.retain || f.ifGen != 5 || len(f.got) != 0 ||
		!strings.Contains(a.raw, `"action":"provision"`) {
		t.Errorf("%d %s, grace %s", a.status, a.raw, f.grace)
	}
	if a := r.send("DELETE", "/stores/other?grace=168h", ""); a.status != 202 || len(f.got) != 1 || f.got[0].Action != provision.OpDelete {
		t.Errorf("a store that has nothing to keep: %d %s, %+v", a.status, a.raw, f.got)
	}
	for _, query := range []string{"grace=1", "grace=30s", "grace=9000h", "grace=1h&grace=2h", "grace="} {
		if a := r.send("DELETE", "/stores/s-1?"+query, ""); a.status != 422 || !strings.Contains(a.raw, "grace must be given once") {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
	f.err = provision.Errorf(provision.CodeConflict, "store s-1 is protected")
	if a := r.send("DELETE", "/stores/s-1?grace=1h", ""); a.status != 409 {
		t.Errorf("protected: %d %s", a.status, a.raw)
	}
}
