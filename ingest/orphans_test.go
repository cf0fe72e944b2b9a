package ingest

import (
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

func fullOrphan() provision.Orphan {
	return provision.Orphan{Kind: provision.OrphanForgotten, Since: time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC), Store: fullState()}
}

func TestOrphansListsOneKind(t *testing.T) {
	r := newRig(t, &fake{lost: provision.Orphans{Orphans: []provision.Orphan{fullOrphan()}, Next: "x"}})
	a := r.send("GET", "/orphans?kind=retained&cursor=7&limit=3", "")
	if a.status != 200 || a.body["next"] != "x" || len(a.body["orphans"].([]any)) != 1 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if r.kind != provision.OrphanRetained || r.cursor != "7" || r.limit != 3 {
		t.Errorf("requested kind %q, cursor %q, limit %d", r.kind, r.cursor, r.limit)
	}
	if a := newRig(t, &fake{}).send("GET", "/orphans?kind=failed", ""); a.status != 200 || !strings.Contains(a.raw, `"orphans":[]`) {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestOrphansNeedsAKnownKind(t *testing.T) {
	for _, query := range []string{"", "?kind=", "?kind=Forgotten", "?kind=failed,retained"} {
		r := newRig(t, &fake{})
		if a := r.send("GET", "/orphans"+query, ""); a.status != 422 || !strings.Contains(a.raw, "forgotten, contested, retained, failed") || r.calls != 0 {
			t.Errorf("GET /orphans%s: %d %s", query, a.status, a.raw)
		}
	}
}
