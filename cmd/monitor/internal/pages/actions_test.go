package pages

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

func TestButtonsDoWhatTheySay(t *testing.T) {
	form := url.Values{"generation": {"7"}, "reason": {"not paid"}, "retain_data": {"on"}, "typed": {"shop-1"}, "backup": {"r-1"}, "new_password": {"on"}}
	for path, want := range map[string]string{
		"/stores/shop-1/retry":            "retry shop-1 7",
		"/stores/shop-1/repair":           "repair shop-1 7",
		"/stores/shop-1/cancel":           "cancel shop-1 7",
		"/stores/shop-1/suspend":          "suspend shop-1 7",
		"/stores/shop-1/resume":           "resume shop-1 7",
		"/stores/shop-1/rotate":           "rotate shop-1 7",
		"/stores/shop-1/backup":           "backup shop-1 7",
		"/stores/shop-1/restore":          "restore shop-1 7",
		"/stores/shop-1/protect":          "protect shop-1 7",
		"/stores/shop-1/unprotect":        "unprotect shop-1 7",
		"/stores/shop-1/delete":           "delete shop-1 7",
		"/stores/shop-1/replay":           "replay 7.2.shop-1",
		"/dead-letters/7.2.shop-1/replay": "replay 7.2.shop-1",
		"/holds/eu/medusa/release":        "release eu medusa",
		"/rollout/pause":                  "rollout pause",
		"/rollout/resume":                 "rollout resume",
		"/rollout/abort":                  "rollout abort",
	} {
		s := newSite(t, busy())
		w := s.send("POST", path, form)
		if w.Code != 303 || s.did != want || s.origin.By != "ana" || s.origin.RequestID == "" {
			t.Errorf("POST %s: %d %s, did %q as %+v", path, w.Code, w.Body, s.did, s.origin)
		}
		if next := s.get(w.Header().Get("Location")); next.Code != 200 || !strings.Contains(next.Body.String(), `class="done"`) {
			t.Errorf("after %s: %d %s", path, next.Code, next.Body)
		}
		if log := s.log.String(); !strings.Contains(log, "msg=audit actor=ana action=") || !strings.Contains(log, "result=accepted") || !strings.Contains(log, s.origin.RequestID) {
			t.Errorf("the log of %s: %s", path, log)
		}
	}
}

func TestButtonsPassOnWhatWasTyped(t *testing.T) {
	s := newSite(t, busy())
	s.send("POST", "/stores/shop-1/suspend", url.Values{"generation": {"7"}, "reason": {"not paid"}})
	if s.options != (Options{Reason: "not paid"}) {
		t.Errorf("suspended with %+v", s.options)
	}
	s.send("POST", "/stores/shop-1/delete", url.Values{"generation": {"7"}, "typed": {"shop-1"}, "retain_data": {"on"}})
	if s.options != (Options{RetainData: true}) {
		t.Errorf("deleted with %+v", s.options)
	}
	s.send("POST", "/stores/shop-1/restore", url.Values{"generation": {"7"}, "typed": {"shop-1"}, "backup": {"r-1"}, "new_password": {"on"}})
	if s.options != (Options{Restore: provision.RestoreRequest{Backup: "r-1", NewPassword: true}}) {
		t.Errorf("restored with %+v", s.options)
	}
}

// What was chosen is still chosen when the id has to be typed once more: the page would restore another backup otherwise.
func TestARestoreNeedsTheIDTypedAndABackup(t *testing.T) {
	s := newSite(t, busy())
	w := s.send("POST", "/stores/shop-1/restore", url.Values{"generation": {"7"}, "typed": {"shop-2"}, "backup": {"r-1"}, "new_password": {"on"}})
	if body := w.Body.String(); w.Code != 422 || s.did != "" || !strings.Contains(body, "Type the store") || !strings.Contains(body, `<option value="r-1" selected>`) || !strings.Contains(body, `name="new_password" checked`) {
		t.Errorf("%d, did %q: %s", w.Code, s.did, body)
	}
	if w := s.send("POST", "/stores/shop-1/restore", url.Values{"generation": {"7"}, "typed": {"shop-1"}}); w.Code != 422 || s.did != "" || !strings.Contains(w.Body.String(), "Choose the backup.") {
		t.Errorf("without a backup: %d, did %q", w.Code, s.did)
	}
}

func TestARestoreIsOfferedWhereThereIsOneToMake(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*provision.State)
		want   bool
	}{
		"failed":               {func(*provision.State) {}, true},
		"ready":                {func(s *provision.State) { s.Status = provision.StatusReady }, true},
		"the last one alone":   {func(s *provision.State) { s.Backups = nil }, true},
		"without a backup":     {func(s *provision.State) { s.Backups, s.Backup = nil, nil }, false},
		"under way":            {func(s *provision.State) { s.Status = provision.StatusProvisioning }, false},
		"suspended":            {func(s *provision.State) { s.Status, s.Suspended = provision.StatusSuspended, true }, false},
		"failed to be resumed": {func(s *provision.State) { s.Suspended = true }, false},
		"deleted":              {func(s *provision.State) { s.Status, s.Action = provision.StatusDeleted, provision.OpDelete }, false},
		"a delete that failed": {func(s *provision.State) { s.Status, s.Action = provision.StatusDeleteFailed, provision.OpDelete }, false},
	} {
		f, s := busy(), failed()
		c.change(&s)
		f.states[s.StoreID] = s
		body := newSite(t, f).get("/stores/shop-1").Body.String()
		button := strings.Index(body, `href="/stores/shop-1/restore"`)
		if (button >= 0) != c.want {
			t.Errorf("%s: offered %t, want %t", name, button >= 0, c.want)
		}
		if remove := strings.Index(body, `href="/stores/shop-1/delete"`); c.want && remove >= 0 && remove < button {
			t.Errorf("%s: a delete comes before the restore", name)
		}
	}
	f, s := busy(), failed()
	s.Backups, s.Backup = nil, nil
	f.states[s.StoreID] = s
	if body := newSite(t, f).get("/stores/shop-1/restore").Body.String(); !strings.Contains(body, "No backup of it is known") {
		t.Errorf("without a backup: %s", body)
	}
}

// TestABackupIsOfferedWhereTheShopRuns, with one press, and is shown until it is made.
func TestABackupIsOfferedWhereTheShopRuns(t *testing.T) {
	for status, want := range map[provision.Status]bool{provision.StatusReady: true, provision.StatusFailed: false, provision.StatusProvisioning: false, provision.StatusSuspended: false} {
		f, s := busy(), failed()
		s.Status, s.Suspended = status, status == provision.StatusSuspended
		f.states[s.StoreID] = s
		if body := newSite(t, f).get("/stores/shop-1").Body.String(); strings.Contains(body, `action="/stores/shop-1/backup"`) != want || strings.Contains(body, "Backup:") {
			t.Errorf("%s: %s", status, body)
		}
		s.BackupRequestedAt = noon.Add(-time.Minute)
		f.states[s.StoreID] = s
		if body := newSite(t, f).get("/stores/shop-1").Body.String(); !strings.Contains(body, "<b>Backup:</b> asked for 1m00s ago") {
			t.Errorf("%s, asked for: %s", status, body)
		}
	}
}

func TestADeleteNeedsTheIDTyped(t *testing.T) {
	for _, typed := range []string{"", "shop-2", "SHOP-1", " shop-1"} {
		s := newSite(t, busy())
		w := s.send("POST", "/stores/shop-1/delete", url.Values{"generation": {"7"}, "typed": {typed}})
		if w.Code != 422 || s.did != "" || !strings.Contains(w.Body.String(), "Type the store") {
			t.Errorf("%q: %d, did %q", typed, w.Code, s.did)
		}
	}
}

func TestWhatIsRefusedIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		missing bool
		status  int
		says    string
	}{
		"it has changed":    {provision.Errorf(provision.CodeSuperseded, "its generation is 8 by now"), false, 412, "its generation is 8 by now. Nothing was done."},
		"not possible":      {provision.Errorf(provision.CodeConflict, "store shop-1 is protected"), false, 409, "store shop-1 is protected"},
		"not valid":         {provision.Errorf(provision.CodeInvalid, "too long"), false, 422, "too long"},
		"Redis is away":     {provision.Errorf(provision.CodeUnavailable, "Redis does not answer."), false, 503, "Redis does not answer"},
		"a defect":          {errors.New("secret cause"), false, 500, "the monitor&#39;s log"},
		"there is no store": {nil, true, 404, "not there any more"},
	} {
		f := busy()
		f.doErr, f.missing = c.err, c.missing
		s := newSite(t, f)
		w := s.send("POST", "/stores/shop-1/retry", url.Values{"generation": {"7"}})
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || strings.Contains(w.Body.String(), "secret cause") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if !strings.Contains(s.log.String(), "result=refused") {
			t.Errorf("%s: the log is %s", name, s.log)
		}
	}
}

func TestBrokenFormsChangeNothing(t *testing.T) {
	for path, form := range map[string]url.Values{
		"/stores/shop-1/retry":   {},
		"/stores/shop-1/resume":  {"generation": {"x"}},
		"/stores/shop-1/cancel":  {"generation": {"0"}},
		"/stores/shop-1/protect": {"generation": {"-7"}},
		"/stores/shop-1/explode": {"generation": {"7"}},
		"/stores/a..b/retry":     {"generation": {"7"}},
		"/rollout/explode":       {},
	} {
		s := newSite(t, busy())
		if w := s.send("POST", path, form); w.Code != 404 || s.did != "" {
			t.Errorf("POST %s: %d, did %q", path, w.Code, s.did)
		}
	}
	f := busy()
	s := f.states["shop-1"]
	s.DeadLetterID = ""
	f.states["shop-1"] = s
	site := newSite(t, f)
	if w := site.send("POST", "/stores/shop-1/replay", url.Values{"generation": {"7"}}); w.Code != 409 || site.did != "" {
		t.Errorf("a replay of what was replayed: %d, did %q", w.Code, site.did)
	}
}

func TestAReasonIsOneThatCanBeKept(t *testing.T) {
	for _, reason := range []string{"a\x1b[2J", strings.Repeat("x", 201)} {
		s := newSite(t, busy())
		if w := s.send("POST", "/stores/shop-1/suspend", url.Values{"generation": {"7"}, "reason": {reason}}); w.Code != 422 || s.did != "" {
			t.Errorf("%.20q: %d, did %q", reason, w.Code, s.did)
		}
	}
}

func TestAReplayOfWhatWasReplacedSaysSo(t *testing.T) {
	f := busy()
	f.dropped = true
	s := newSite(t, f)
	for _, path := range []string{"/stores/shop-1/replay", "/dead-letters/7.2.shop-1/replay"} {
		if w := s.send("POST", path, url.Values{"generation": {"7"}}); w.Code != 409 || !strings.Contains(w.Body.String(), "was dropped") {
			t.Errorf("POST %s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestEachDoneSaysWhatWasDone(t *testing.T) {
	for name, want := range map[string]string{"resume": "The shop is being started.", "rollout.resume": "The rollout goes on.", "hold.release": "The stores that waited go on.", "<b>": ""} {
		w := newSite(t, busy()).get("/rollout?" + url.Values{"done": {name}}.Encode())
		if got := strings.Contains(w.Body.String(), `class="done"`); got != (want != "") || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}
