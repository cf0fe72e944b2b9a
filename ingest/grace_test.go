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
	if a := r.send("DELETE", "/stores/s-1?grace=168h&retain_data=true", "", "If-Match", `"5"`); a.status != 202 || f.grace != (provision.Grace{For: 168 * time.Hour, RetainData: true}) || f.ifGen != 5 || len(f.got) != 0 ||
		!strings.Contains(a.raw, `"action":"provision"`) {
		t.Errorf("%d %s, grace %+v", a.status, a.raw, f.grace)
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

// TestDeleteWithTheGraceOfTheInstallation: the backend need not know of it, and one that does may have the store deleted at once.
func TestDeleteWithTheGraceOfTheInstallation(t *testing.T) {
	f := &fake{state: provision.State{StoreID: "s-1"}, next: provision.Accepted{Generation: 7, TaskID: "7.s-1"}}
	r := newRig(t, f)
	r.rebuild(t, func(c *Config) { c.DeleteGrace = 48 * time.Hour })
	quiet := provision.Grace{For: 48 * time.Hour, Quiet: true}
	for _, one := range []struct {
		method, path, body string
		want               provision.Grace
	}{
		{"DELETE", "/stores/s-1", "", quiet},
		{"POST", "/", `{"store_id":"s-1","action":"delete"}`, quiet},
		{"DELETE", "/stores/s-1?retain_data=true", "", provision.Grace{For: 48 * time.Hour, Quiet: true, RetainData: true}},
		{"DELETE", "/stores/s-1?erase=false", "", quiet},
		{"DELETE", "/stores/s-1?grace=1h", "", provision.Grace{For: time.Hour}},
		{"DELETE", "/stores/s-1?erase=true", "", provision.Grace{}},
	} {
		f.grace, f.got = provision.Grace{}, nil
		a := r.send(one.method, one.path, one.body)
		if now := one.want.For == 0; a.status != 202 || f.grace != one.want || (len(f.got) == 1) != now {
			t.Errorf("%s %s: %d %s; grace %+v, deleted at once: %t", one.method, one.path, a.status, a.raw, f.grace, len(f.got) == 1)
		}
		if told := !one.want.Quiet && one.want.For > 0; !strings.Contains(a.raw, map[bool]string{true: `"action":"provision"`, false: `"action":"delete"`}[told]) {
			t.Errorf("%s %s: %s", one.method, one.path, a.raw)
		}
	}
	for _, query := range []string{"erase=yes", "erase=true&erase=true", "erase=true&grace=1h"} {
		if a := r.send("DELETE", "/stores/s-1?"+query, ""); a.status != 422 || !strings.Contains(a.raw, "erase must be given once") {
			t.Errorf("%s: %d %s", query, a.status, a.raw)
		}
	}
}
