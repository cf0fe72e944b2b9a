package ingest

import (
	"errors"
	"strings"
	"testing"
)

func TestRoutesRefuseUnknownPathsAndMethods(t *testing.T) {
	tests := []struct {
		target, kind string
		status       int
		allow        string
	}{
		{"GET /nothing", "no-route", 404, ""},
		{"POST /stores/s-1", "no-method", 405, "DELETE, GET, HEAD"},
		{"POST /stores/s-1/x", "no-route", 404, ""},
		{"DELETE /stores/s-1/retry", "no-method", 405, "POST"},
		{"GET /metrics", "no-route", 404, ""},
		{"GET /debug/pprof/", "no-route", 404, ""},
		{"PUT /", "no-method", 405, "GET, HEAD, POST"},
		{"PUT /orchestrate", "no-method", 405, "POST"},
		{"PATCH /stores/s-1", "no-method", 405, "DELETE, GET, HEAD"},
		{"DELETE /stores", "no-method", 405, "GET, HEAD"},
		{"DELETE /orphans", "no-method", 405, "GET, HEAD"},
		{"POST /dead-letters", "no-method", 405, "GET, HEAD"},
		{"GET /dead-letters/7.1.s-1/replay", "no-method", 405, "POST"},
		{"GET /dead-letters/7.1.s-1", "no-route", 404, ""},
		{"POST /healthz", "no-method", 405, "GET, HEAD"},
	}
	for _, test := range tests {
		method, path, _ := strings.Cut(test.target, " ")
		a := newRig(t, &fake{}).send(method, path, "")
		if a.status != test.status || a.body["type"] != "urn:orchestrator:problem:"+test.kind || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", test.target, a.status, a.raw)
		}
		for m := range strings.SplitSeq(test.allow, ", ") {
			if !strings.Contains(a.header.Get("Allow"), m) {
				t.Errorf("%s: Allow is %q, want %s in it", test.target, a.header.Get("Allow"), m)
			}
		}
	}
}

func TestHealthzNeedsNothingAndReadyzNeedsTheRecord(t *testing.T) {
	r := newRig(t, &fake{err: errors.New("refused by 10.0.0.7")})
	if a := r.send("GET", "/healthz", "", tokenHeader, "-"); a.status != 200 || a.body["ok"] != true || r.calls != 0 {
		t.Errorf("healthz: %d %s", a.status, a.raw)
	}
	if a := r.send("GET", "/readyz", "", tokenHeader, "-"); a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(a.raw, "10.0.0.7") {
		t.Errorf("readyz: %d %s", a.status, a.raw)
	}
	r.err = nil
	if a := r.send("HEAD", "/readyz", "", tokenHeader, "-"); a.status != 200 {
		t.Errorf("readyz: %d", a.status)
	}
}

func TestSecureSetsItsHeadersOnEveryResponse(t *testing.T) {
	for _, target := range []string{"GET /healthz", "GET /nothing", "PUT /", "POST /", "GET /stores", "GET /openapi.yaml"} {
		method, path, _ := strings.Cut(target, " ")
		h := newRig(t, &fake{}).send(method, path, "").header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %v", target, h)
		}
	}
}

func TestServerHasEveryLimit(t *testing.T) {
	s := Server("127.0.0.1:0", nil)
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Errorf("%+v", s)
	}
}
