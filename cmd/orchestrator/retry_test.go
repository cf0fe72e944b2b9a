package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"orchestrator/provision"
)

// existing is a shop with settings of its own.
func existing(status provision.Status) provision.State {
	s := shop(status)
	s.Request = &provision.Request{StoreID: "shop", Name: "own", Engine: "medusa", Namespace: "own-ns", Host: "own.example.com", StoreURL: "https://own.example.com:8443/de",
		Action: provision.OpProvision, Settings: provision.Settings{Title: "Old", Currency: "EUR"}}
	return s
}

// sent is the request that a command has sent, and the path and condition that it was sent with.
func sent(t *testing.T, f *fakeIngest) (provision.Request, string) {
	t.Helper()
	var r provision.Request
	last := len(f.bodies) - 1
	if err := json.Unmarshal([]byte(f.bodies[last]), &r); err != nil {
		t.Fatalf("%v in %q", err, f.bodies[last])
	}
	return r, f.asked[last]
}

func TestSubmitAndEditStartFromTheRecord(t *testing.T) {
	for _, command := range []string{"submit", "edit"} {
		f := &fakeIngest{states: []provision.State{existing(provision.StatusReady)}}
		environment(t, f)
		code, out, errOut := orchestrator(t, command, "shop", "--title", "New", "--host", "new.example.com", "--sample-product")
		if code != 0 {
			t.Fatal(command, out, errOut)
		}
		want := *existing(provision.StatusReady).Request
		want.Settings.Title, want.Settings.SampleProduct, want.Host, want.StoreURL = "New", true, "new.example.com", "https://new.example.com:8443/de"
		got, asked := sent(t, f)
		if got != want || asked != `POST / if "7"` {
			t.Errorf("%s: sent %+v as %s, want %+v", command, got, asked, want)
		}
		for _, line := range []string{`title           "Old" → "New"`, `host            "own.example.com" → "new.example.com"`, "sample-product  false → true"} {
			if !strings.Contains(out, line) {
				t.Errorf("%s does not print %q:\n%s", command, line, out)
			}
		}
	}
}

func TestSubmitOfAnEqualStoreChangesNothing(t *testing.T) {
	f := &fakeIngest{states: []provision.State{existing(provision.StatusFailed)}}
	environment(t, f)
	code, out, _ := orchestrator(t, "submit", "shop", "--title", "Old")
	if got, _ := sent(t, f); code != 0 || got != *existing("").Request || !strings.Contains(out, "nothing of it changes") {
		t.Error(code, got, out)
	}
}

func TestSubmitTakesDefaultsForANewStoreAndOnRequest(t *testing.T) {
	gone := existing(provision.StatusDeleted)
	for what, c := range map[string]struct {
		state provision.State
		args  []string
	}{"deleted": {gone, nil}, "replaced": {existing(provision.StatusReady), []string{"--replace"}}} {
		f := &fakeIngest{states: []provision.State{c.state}}
		environment(t, f)
		if code, out, errOut := orchestrator(t, append([]string{"submit", "shop"}, c.args...)...); code != 0 {
			t.Fatal(what, out, errOut)
		}
		if got, asked := sent(t, f); got.Host != "shop.localhost" || got.Settings != (provision.Settings{}) || asked != "POST /" {
			t.Errorf("%s: sent %+v as %s", what, got, asked)
		}
	}
	f := &fakeIngest{states: []provision.State{gone}}
	environment(t, f)
	if code, _, errOut := orchestrator(t, "edit", "shop", "--title", "x"); code != 1 || !strings.Contains(errOut, "store shop is DELETED") {
		t.Error(code, errOut)
	}
}

// fakeFleet is an ingest with stores, of which some refuse to be changed.
type fakeFleet struct {
	stores []provision.State
	refuse map[string]int
	asked  []string
}

func (f *fakeFleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		page := provision.Page{Stores: f.stores[:2], Next: "2"}
		if r.URL.Query().Get("cursor") == "2" {
			page = provision.Page{Stores: f.stores[2:]}
		}
		_ = json.NewEncoder(w).Encode(page)
		return
	}
	id, verb, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/stores/"), "/")
	f.asked = append(f.asked, verb+" "+id+ifMatch(r))
	if status := f.refuse[id]; status != 0 {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"title":"no","status":%d,"detail":"not this one"}`, status)
		return
	}
	fmt.Fprintf(w, `{"store_id":%q,"action":"provision","generation":9,"task_id":"9.%s","status":"FAILED"}`, id, id)
}

func fleet(t *testing.T) *fakeFleet {
	t.Helper()
	state := func(id string, status provision.Status, code provision.Code) provision.State {
		return provision.State{StoreID: id, Generation: 7, Action: provision.OpProvision, Status: status, Code: code}
	}
	f := &fakeFleet{refuse: map[string]int{}, stores: []provision.State{state("newest", provision.StatusFailed, provision.CodeImage), state("up", provision.StatusReady, ""),
		state("under-way", provision.StatusProvisioning, ""), state("gone", provision.StatusDeleted, ""), state("late", provision.StatusFailed, provision.CodeTimeout),
		state("oldest", provision.StatusDeleteFailed, provision.CodeImage)}}
	f.stores[1].Outdated = true
	environment(t, f)
	return f
}

func TestRetryChoosesStores(t *testing.T) {
	for args, want := range map[string][]string{
		"shop":                          {"retry shop"},
		"a b":                           {"retry a", "retry b"},
		"--failed --yes":                {`retry oldest if "7"`, `retry late if "7"`, `retry newest if "7"`},
		"--failed --code image --yes":   {`retry oldest if "7"`, `retry newest if "7"`},
		"--failed --code volume --yes":  nil,
		"--all --yes":                   {`retry oldest if "7"`, `retry late if "7"`, `retry under-way if "7"`, `retry up if "7"`, `retry newest if "7"`},
		"--outdated --yes":              {`retry up if "7"`},
		"--failed --code image -o json": nil, // without --yes
	} {
		f := fleet(t)
		code, out, errOut := orchestrator(t, append(strings.Fields("retry --rate 1000"), strings.Fields(args)...)...)
		if refused := strings.HasSuffix(args, "json"); !slices.Equal(f.asked, want) || (code == 0) == refused {
			t.Errorf("%s: exit code %d, asked %q, want %q\n%s%s", args, code, f.asked, want, out, errOut)
		}
	}
}

func TestRetryAndCancelGoOnAfterARefusal(t *testing.T) {
	for _, command := range []string{"retry --rate 1000 --failed --yes", "cancel oldest late newest"} {
		f := fleet(t)
		f.refuse["late"] = http.StatusConflict
		code, out, errOut := orchestrator(t, strings.Fields(command)...)
		if code != 1 || len(f.asked) != 3 || !strings.Contains(errOut, "late: no (409): not this one") || !strings.Contains(out, "newest") {
			t.Errorf("%s: exit code %d, asked %q\n%s%s", command, code, f.asked, out, errOut)
		}
		f.asked, f.refuse["oldest"] = nil, http.StatusServiceUnavailable
		if code, _, _ := orchestrator(t, strings.Fields(command)...); code != 1 || len(f.asked) != 1 {
			t.Errorf("%s: goes on though the service is away: exit code %d, asked %q", command, code, f.asked)
		}
	}
}

func TestRetryForces(t *testing.T) {
	f := &fakeIngest{states: []provision.State{shop("READY")}}
	environment(t, f)
	if code, out, errOut := orchestrator(t, "retry", "shop", "--force", "apply,verify", "-o", "json"); code != 0 || f.bodies[0] != `{"force":["apply","verify"]}` {
		t.Error(code, out, errOut, f.bodies)
	}
}

func TestProtectSaysWhatHoldsNow(t *testing.T) {
	for command, want := range map[string]string{"protect shop": "shop is protected", "unprotect shop": "shop is not protected", "protect shop -o json": `{"store_id":"shop","protected":false}`} {
		f := &fakeIngest{}
		environment(t, f)
		code, out, errOut := orchestrator(t, strings.Fields(command)...)
		if code != 0 || !strings.Contains(out, want) || f.asked[0] != "POST /stores/shop/"+strings.Fields(command)[0] {
			t.Errorf("%s: exit code %d, %q %q, asked %q", command, code, out, errOut, f.asked)
		}
	}
}

// TestTheOldestRequestIsTriedFirst: failed provisions and failed deletes come in two lists.
func TestTheOldestRequestIsTriedFirst(t *testing.T) {
	at := func(id string, minute int) provision.State {
		return provision.State{StoreID: id, AcceptedAt: time.Date(2026, 1, 2, 12, minute, 0, 0, time.UTC)}
	}
	stores := []provision.State{at("e", 5), at("b", 2), at("a", 1), at("d", 4), at("c", 2)}
	oldestFirst(stores)
	var got []string
	for _, s := range stores {
		got = append(got, s.StoreID)
	}
	if want := []string{"a", "c", "b", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("tried in the order %v, want %v", got, want)
	}
}
