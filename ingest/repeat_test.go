package ingest

import (
	"slices"
	"strings"
	"testing"

	"orchestrator/provision"
)

func TestRetryRepeatsTheRecord(t *testing.T) {
	r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}, next: provision.Accepted{Action: provision.OpDelete, Generation: 7, TaskID: "7.s-1"}})
	for body, want := range map[string][]provision.Force{
		"": nil, "{}": nil, `{"force":null}`: nil, `{"force":[]}`: {}, `{"force":["verify","apply","verify"]}`: {provision.ForceApply, provision.ForceVerify},
	} {
		a := r.send("POST", "/stores/s-1/retry", body, "If-Match", `"6"`)
		if a.status != 202 || a.body["action"] != "delete" || a.body["generation"] != 7.0 || a.body["task_id"] != "7.s-1" {
			t.Errorf("%q: %d %s", body, a.status, a.raw)
		}
		if r.id != "s-1" || r.ifGen != 6 || !slices.Equal(r.force, want) || r.origin.By == "" || r.origin.RequestID == "" {
			t.Errorf("%q: id %q, generation %d, force %v, origin %+v", body, r.id, r.ifGen, r.force, r.origin)
		}
	}
}

func TestSuspendResumeAndRotateNameTheStore(t *testing.T) {
	r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}, next: provision.Accepted{Action: provision.OpProvision, Generation: 7, TaskID: "7.s-1"}})
	for body, reason := range map[string]string{"": "", `{"reason":"unpaid since März"}`: "unpaid since März"} {
		if a := r.send("POST", "/stores/s-1/suspend", body, "If-Match", `"6"`); a.status != 202 || a.body["task_id"] != "7.s-1" || r.ifGen != 6 || r.reason != reason {
			t.Errorf("%q: %d %s, generation %d, reason %q", body, a.status, a.raw, r.ifGen, r.reason)
		}
	}
	if a := r.send("POST", "/stores/s-1/resume", ""); a.status != 202 || r.reason != "none: resumed" || r.ifGen != 0 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := r.send("POST", "/stores/s-1/rotate", "", "If-Match", `"6"`); a.status != 202 || r.reason != "none: rotated" || r.ifGen != 6 {
		t.Errorf("%d %s", a.status, a.raw)
	}
	for _, body := range []string{`{"reason":"` + strings.Repeat("ä", 201) + `"}`, `{"reason":"a\u001b[2J"}`, `{"reason":1}`} {
		if a := r.send("POST", "/stores/s-1/suspend", body); a.status != 422 || !slices.Equal(a.fields(), []string{"reason"}) {
			t.Errorf("%q: %d %s", body, a.status, a.raw)
		}
	}
}

// TestBackupIsRequested: it is no generation, and the answer says since when it is asked for.
func TestBackupIsRequested(t *testing.T) {
	r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}})
	a := r.send("POST", "/stores/s-1/backup", "", "If-Match", `"6"`)
	if a.status != 202 || a.body["store_id"] != "s-1" || a.body["requested_at"] != "2026-11-23T04:00:00.005Z" || a.body["generation"] != nil || r.ifGen != 6 || r.origin.RequestID == "" {
		t.Errorf("%d %s, generation %d", a.status, a.raw, r.ifGen)
	}
	if log := r.log.String(); !strings.Contains(log, `"action":"store.backup","target":"s-1","result":"accepted"`) {
		t.Errorf("the audit log is %s", log)
	}
}

func TestRestoreNamesTheBackup(t *testing.T) {
	r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}, next: provision.Accepted{Action: provision.OpProvision, Generation: 7, TaskID: "7.s-1"}})
	for body, want := range map[string]provision.RestoreRequest{
		"": {}, "{}": {}, `{"backup":null,"new_password":null}`: {}, `{"backup":""}`: {}, `{"new_password":false}`: {}, `{"backup":"5b0e-1"}`: {Backup: "5b0e-1"},
		`{"backup":"r","new_password":true}`: {Backup: "r", NewPassword: true},
	} {
		a := r.send("POST", "/stores/s-1/restore", body, "If-Match", `"6"`)
		if a.status != 202 || a.body["action"] != "provision" || a.body["generation"] != 7.0 || r.id != "s-1" || r.ifGen != 6 || r.restores != want || r.origin.RequestID == "" {
			t.Errorf("%q: %d %s, generation %d, asked for %+v", body, a.status, a.raw, r.ifGen, r.restores)
		}
	}
	if log := r.log.String(); !strings.Contains(log, `"action":"store.restore","target":"s-1","result":"accepted"`) {
		t.Errorf("the audit line is missing: %s", log)
	}
	for body, fields := range map[string][]string{
		`{"backup":7}`: {"backup"}, `{"backup":"a b"}`: {"backup"}, `{"backup":"` + strings.Repeat("r", 65) + `"}`: {"backup"}, `{"new_password":"yes"}`: {"new_password"},
		`{"backup":"\u001b[2J","new_password":1}`: {"new_password", "backup"},
	} {
		r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}})
		if a := r.send("POST", "/stores/s-1/restore", body); a.status != 422 || !slices.Equal(a.fields(), fields) || r.calls != 0 {
			t.Errorf("%q: %d %s, called the record %d times", body, a.status, a.raw, r.calls)
		}
	}
}

func TestProtectAndUnprotect(t *testing.T) {
	r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}})
	for verb, want := range map[string]bool{"protect": true, "unprotect": false} {
		if a := r.send("POST", "/stores/s-1/"+verb, ""); a.status != 200 || a.body["protected"] != want || r.protected != want || r.id != "s-1" {
			t.Errorf("%s: %d %s, asked for %t", verb, a.status, a.raw, r.protected)
		}
	}
	if log := r.log.String(); !strings.Contains(log, `"action":"store.unprotect","target":"s-1","result":"accepted"`) {
		t.Errorf("the audit line is missing: %s", log)
	}
}

func TestCancelAnswersWithTheOutcome(t *testing.T) {
	r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}, cancel: provision.Cancelled{Action: provision.OpProvision, Generation: 7, Status: provision.StatusFailed}})
	a := r.send("POST", "/stores/s-1/cancel", "")
	if a.status != 200 || a.body["status"] != "FAILED" || a.body["generation"] != 7.0 || r.ifGen != 0 {
		t.Errorf("%d %s, generation %d", a.status, a.raw, r.ifGen)
	}
	if log := r.log.String(); !strings.Contains(log, `"action":"store.cancel","target":"s-1","result":"accepted"`) {
		t.Errorf("the audit line is missing: %s", log)
	}
}

func TestRetryAndCancelRefuse(t *testing.T) {
	conflicting := provision.Errorf(provision.CodeConflict, "a worker is at it")
	tests := []struct {
		target, body string
		err          error
		status       int
		part         string
	}{
		{"/stores/other/retry", "", nil, 404, "other"},
		{"/stores/other/cancel", "", nil, 404, "other"},
		{"/stores/" + strings.Repeat("x", 300) + "/retry", "", nil, 404, "not valid"},
		{"/stores/s-1/retry", `{"force":["delete"]}`, nil, 422, `"apply" and "upgrade" and "verify"`},
		{"/stores/s-1/retry", `{"force":"apply"}`, nil, 422, "array"},
		{"/stores/s-1/retry", `[`, nil, 400, "JSON"},
		{"/stores/s-1/cancel", "", conflicting, 409, "a worker is at it"},
		{"/stores/s-1/retry", "", provision.Errorf(provision.CodeSuperseded, "its generation is 9"), 412, "9"},
		{"/stores/other/restore", "", nil, 404, "other"},
		{"/stores/s-1/restore", `{"backup":"a","backup":"b"}`, nil, 400, "duplicate"},
		{"/stores/s-1/restore", "", provision.Errorf(provision.CodeConflict, "no backup of it is known"), 409, "no backup of it is known"},
		{"/stores/s-1/restore", "", provision.Errorf(provision.CodeSuperseded, "its generation is 9"), 412, "9"},
		{"/stores/other/backup", "", nil, 404, "other"},
		{"/stores/s-1/backup", "", provision.Errorf(provision.CodeConflict, "it is suspended"), 409, "it is suspended"},
		{"/stores/s-1/backup", "", provision.Errorf(provision.CodeSuperseded, "its generation is 9"), 412, "9"},
		{"/stores/s-1/retry", "", provision.Errorf(provision.CodeUnavailable, "away"), 503, "Send the same request again"},
	}
	for _, test := range tests {
		r := newRig(t, &fake{state: provision.State{StoreID: "s-1"}, err: test.err})
		if a := r.send("POST", test.target, test.body); a.status != test.status || !strings.Contains(a.body["detail"].(string), test.part) {
			t.Errorf("%s %s: %d %s", test.target, test.body, a.status, a.raw)
		}
	}
	if a := newRig(t, &fake{}).send("POST", "/stores/s-1/cancel", "", "If-Match", "6"); a.status != 400 {
		t.Errorf("If-Match without quotes: %d %s", a.status, a.raw)
	}
}
