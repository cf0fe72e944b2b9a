package ingest

import (
	"strings"
	"testing"

	"orchestrator/provision"
)

func TestIfMatchIsTheNewestGeneration(t *testing.T) {
	for _, target := range []string{"POST /", "POST /orchestrate", "DELETE /stores/s-1"} {
		method, path, _ := strings.Cut(target, " ")
		body := ""
		if method == "POST" {
			body = store(nil)
		}
		for header, want := range map[string]struct {
			status     int
			generation int64
		}{
			`"1764000000000"`: {202, 1764000000000},
			`-`:               {202, 0},
			`1764000000000`:   {400, 0},
			`W/"7"`:           {400, 0},
			`"7", "8"`:        {400, 0},
			`"0"`:             {400, 0},
			`"-7"`:            {400, 0},
			`""`:              {400, 0},
			`"`:               {400, 0},
			`*`:               {400, 0},
		} {
			r := newRig(t, &fake{})
			a := r.send(method, path, body, headerIfMatch, header)
			if a.status != want.status || r.ifGen != want.generation || (want.status == 400 && r.calls != 0) {
				t.Errorf("%s with If-Match %s: %d %s, generation %d", target, header, a.status, a.raw, r.ifGen)
			}
		}
	}
}

func TestANewerGenerationIs412(t *testing.T) {
	r := newRig(t, &fake{err: provision.Errorf(provision.CodeSuperseded, "store s-1 has a newer request: its generation is 8 by now")})
	a := r.send("DELETE", "/stores/s-1", "", headerIfMatch, `"7"`)
	if a.status != 412 || a.body["type"] != "urn:orchestrator:problem:generation-changed" || a.body["detail"] != "store s-1 has a newer request: its generation is 8 by now" {
		t.Errorf("%d %s", a.status, a.raw)
	}
}
