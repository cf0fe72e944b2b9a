package pages

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/cmd/monitor/internal/login"
	"orchestrator/provision"
)

// all are the pages, with texts that each has to show.
var all = map[string][]string{
	"/":                     {"things need you", "Critical", "The backend has refused 1 callback for good", "1,234", "slow", "image 2", "/runbook#orchestratorstorestuck"},
	"/stores":               {"shop-1", "no &lt;such&gt; image", "medusa · eu", "/stores?cursor=99"},
	"/stores?status=FAILED": {`href="/stores?cursor=99&amp;status=FAILED"`},
	"/stores/shop-1": {"Käse &amp; Wein", "a step&#39;s own text", "14 tries", "quota of before", "&lt;b&gt;no such store", "no answer: refused", "service a differs: spec.type, by kubectl", "secret b is missing", "pk", "by backend, request r-7", "protected",
		"Backups <span", "12,345,678", "r-1", "to the backup of 2026-11-26 11:00:00 UTC, with 5 orders, since generation 7", `href="/stores/shop-1/restore"`},
	"/stores/shop-1/restore":   {"is lost", `<select id="backup"`, `<option value="r-2">2026-11-27 11:00:00 UTC, 1h00m ago: 7 orders, 0 products`, `<option value="r-1">`, `name="new_password"`, `name="typed"`},
	"/stores/shop-1/suspend":   {"shoppers see 503", `name="reason"`},
	"/stores/shop-1/delete":    {"cannot be undone", `name="typed"`, `name="retain_data"`},
	"/dead-letters":            {"404 &lt;nothing&gt;", "/dead-letters?cursor=5"},
	"/attention":               {"Pods of these", "no &lt;such&gt; image"},
	"/attention?kind=hold":     {"medusa · eu", "no image", "9"},
	"/attention?kind=drifted":  {"Drifted <span>2"},
	"/attention?kind=failed":   {"2d ago"},
	"/attention?kind=pending":  {"Not told <span>3", "shop-1"},
	"/holds/eu/medusa/release": {"Release medusa on eu?"},
	"/rollout/abort":           {"cannot be resumed"},
	"/rollout":                 {"paused", "a store has failed", "Wave 1 of 2", "shop-9", "not ready"},
	"/runbook":                 {`id="orchestratornoworker"`, "orchestratorclusterdown", "It means.", "operations.md"},
	"/clusters":                {"no worker reaches it", "given up", "1,233 stores", "not recovered yet"},
}

func TestPagesShowWhatIsKnown(t *testing.T) {
	for path, texts := range all {
		w := newSite(t, busy()).get(path)
		if w.Code != 200 || w.Header().Get("Content-Security-Policy") != policy || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: %d %v", path, w.Code, w.Header())
		}
		for _, text := range texts {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("GET %s does not show %q: %s", path, text, w.Body)
			}
		}
		if body := w.Body.String(); strings.Contains(body, "<no value>") || strings.Contains(body, "<such>") || strings.Contains(body, " style=") || strings.Contains(body, "<script>") {
			t.Errorf("GET %s: %s", path, body)
		}
	}
}

func TestPagesAreWholeWithoutAnything(t *testing.T) {
	for path := range all {
		if strings.HasPrefix(path, "/stores/") {
			continue
		}
		if w := newSite(t, &fake{}).get(path); w.Code != 200 || strings.Contains(w.Body.String(), "<no value>") {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestViewersSeeNoButtonAndChangeNothing(t *testing.T) {
	s := newSite(t, busy())
	s.role = login.Viewer
	for path := range all {
		_, main, _ := strings.Cut(s.get(path).Body.String(), "<main")
		main = strings.ReplaceAll(main, "<button>Filter</button>", "")
		if strings.Contains(main, "<button") || strings.Contains(main, `method="post"`) {
			t.Errorf("GET %s has a button: %s", path, main)
		}
	}
	for _, path := range []string{"/stores/shop-1/retry", "/stores/shop-1/delete", "/dead-letters/7.2.shop-1/replay", "/holds/eu/medusa/release", "/rollout/pause"} {
		if w := s.send("POST", path, url.Values{"generation": {"7"}, "typed": {"shop-1"}}); w.Code != 403 || s.did != "" {
			t.Errorf("POST %s: %d, did %s", path, w.Code, s.did)
		}
	}
}

func TestPagesSayThatRedisIsAway(t *testing.T) {
	for err, want := range map[error]int{provision.Errorf(provision.CodeUnavailable, "Redis does not answer."): 503, provision.Errorf(provision.CodeInvalid, "cursor must be"): 422, errors.New("secret cause"): 500} {
		for path := range all {
			if path == "/runbook" || strings.HasSuffix(path, "/release") || path == "/rollout/abort" {
				continue // they read nothing, or are needed just then
			}
			w := newSite(t, &fake{err: err}).get(path)
			if w.Code != want || strings.Contains(w.Body.String(), "secret cause") || !strings.Contains(w.Body.String(), "<h1>") {
				t.Errorf("GET %s with %v: %d %s", path, err, w.Code, w.Body)
			}
		}
	}
}

func TestOverviewFindsWhatIsWrong(t *testing.T) {
	o, err := newSite(t, busy()).pages.readOverview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	critical := true
	for _, c := range o.Wrong {
		if c.Critical && !critical {
			t.Errorf("%s is critical, and below a warning", c.Alert)
		}
		critical = c.Critical
		alerts = append(alerts, c.Alert)
	}
	want := []string{"OrchestratorCallbacksVeryLate", "OrchestratorCauseHeld", "OrchestratorClusterDown", "OrchestratorDeadLetters", "OrchestratorRecordsIncomplete", "OrchestratorRedisMemory",
		"OrchestratorRolloutPaused", "OrchestratorStoreStuck", "OrchestratorStoresDrifted", "OrchestratorStoresFail", "OrchestratorStoresFail", "OrchestratorStoresForgotten", "OrchestratorStoresUnhealthy"}
	slices.Sort(alerts)
	if !slices.Equal(alerts, want) || len(o.Passed) != 0 {
		t.Errorf("wrong are %q, %q passed", alerts, o.Passed)
	}
	if o, err := newSite(t, &fake{}).pages.readOverview(t.Context()); err != nil || len(o.Wrong) != 0 || len(o.Passed) != 11 {
		t.Errorf("with nothing wrong: %+v %v", o.Wrong, err)
	}
}

func TestListFindsAStoreByItsID(t *testing.T) {
	s := newSite(t, busy())
	if w := s.get("/stores?q=shop-1"); w.Code != 303 || w.Header().Get("Location") != "/stores/shop-1" {
		t.Errorf("a whole id: %d %s", w.Code, w.Header().Get("Location"))
	}
	for path, want := range map[string]provision.StoreFilter{
		"/stores?q=shop":                 {Query: "shop"},
		"/stores?q=shop-1&status=FAILED": {Query: "shop-1", Status: provision.StatusFailed},
		"/stores?status=FAILED&code=image&engine=medusa&cluster=eu&creator=42": {Status: provision.StatusFailed, Code: provision.CodeImage, Engine: "medusa", Cluster: "eu", Creator: "42"},
	} {
		if w := s.get(path); w.Code != 200 || s.filter != want {
			t.Errorf("GET %s: %d, filter %+v", path, w.Code, s.filter)
		}
	}
	for _, path := range []string{"/stores?status=BROKEN", "/stores?code=x", "/attention?kind=x"} {
		if w := s.get(path); w.Code != 422 {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
}

func TestAnUnknownStoreIsToldWithThoseThatBeginAlike(t *testing.T) {
	s := newSite(t, busy())
	if w := s.get("/stores/shop-123"); w.Code != 404 || !strings.Contains(w.Body.String(), `href="/stores/shop-1"`) || s.filter.Query != "shop" {
		t.Errorf("%d, looked for %q: %s", w.Code, s.filter.Query, w.Body)
	}
	for _, path := range []string{"/stores/a..b", "/stores/shop-1/explode", "/nothing"} {
		if w := s.get(path); w.Code != 404 {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
}

func TestStorePageGroupsStepsAndDeliveries(t *testing.T) {
	s := failed()
	generations, callbacks := generationsOf(s), callbacksOf(s)
	if len(generations) != 2 || len(generations[0].Steps) != 2 || generations[0].Steps[0].State != provision.StepDone || !generations[0].Newest || generations[1].Newest || len(generations[1].Steps) != 1 {
		t.Errorf("generations %+v", generations)
	}
	if len(callbacks) != 2 || len(callbacks[0].Deliveries) != 2 || callbacks[0].Delivered || !callbacks[0].Open || !callbacks[1].Delivered || callbacks[1].Open {
		t.Errorf("callbacks %+v", callbacks)
	}
}

func TestWhatWasReadIsSharedForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cache[int]
		reads := 0
		read := func(context.Context) (int, error) {
			time.Sleep(10 * time.Millisecond)
			reads++
			return reads, nil
		}
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				if n, err := c.get(t.Context(), "a", read); n != 1 || err != nil {
					t.Errorf("read %d, %v", n, err)
				}
			})
		}
		group.Wait()
		time.Sleep(cacheFor)
		if n, _ := c.get(t.Context(), "a", read); n != 2 {
			t.Errorf("a second later %d", n)
		}
		began := make(chan struct{})
		group.Go(func() { // what began to be read before a change is not shown after it
			_, _ = c.get(t.Context(), "b", func(context.Context) (int, error) {
				close(began)
				time.Sleep(50 * time.Millisecond)
				return -1, nil
			})
		})
		<-began
		c.clear()
		for _, key := range []string{"a", "b"} {
			if n, _ := c.get(t.Context(), key, read); n < 3 {
				t.Errorf("%s after a change is %d", key, n)
			}
		}
		group.Wait()
		if n, _ := c.get(t.Context(), "b", read); n < 0 {
			t.Error("what was read before a change is shown later")
		}
	})
}

func TestWhatCouldNotBeReadIsReadAgain(t *testing.T) {
	var c cache[int]
	if _, err := c.get(t.Context(), "a", func(context.Context) (int, error) { return 0, errors.New("away") }); err == nil {
		t.Error("no error")
	}
	if n, err := c.get(t.Context(), "a", func(context.Context) (int, error) { return 5, nil }); n != 5 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	for i := range 3 * cacheMost {
		c.put(0, grouped(i), i)
	}
	if len(c.known) > cacheMost {
		t.Errorf("%d entries", len(c.known))
	}
}

// Each check that names an alert leads to a section of the runbook.
func TestChecksLeadToTheirSectionOfTheRunbook(t *testing.T) {
	text, err := renderRunbook()
	if err != nil {
		t.Fatal(err)
	}
	o, err := newSite(t, busy()).pages.readOverview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range o.Wrong {
		if c.Alert != "" && !strings.Contains(string(text), `id="`+strings.ToLower(c.Alert)+`"`) {
			t.Errorf("the runbook has no section %s", c.Alert)
		}
	}
	if strings.Contains(string(text), `.md"`) || strings.Contains(string(text), `.md#`) {
		t.Error("the runbook links to what is not served")
	}
}
