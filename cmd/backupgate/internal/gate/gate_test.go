package gate

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"orchestrator/provision/backup"
)

// perhaps: a request that is broken off may never get to the storage.
const perhaps = "perhaps"

// TestTheWholeProtocol: what a client that only adds sends is passed on as it is, and nothing else is.
func TestTheWholeProtocol(t *testing.T) {
	name, absent := sum("a pack"), sum("absent")
	tests := []struct {
		method, below, body string
		want                int
		text                string // in the answer
		asks                string // what the storage is asked, besides the path
	}{
		{"POST", "?create=true", "", 200, "", "POST ?create=true"},
		{"POST", "", "", 400, "?create=true", ""},
		{"POST", "?", "", 400, "?create=true", ""},
		{"POST", "?create=true&x=y", "", 400, "?create=true", ""},
		{"POST", "?create=true", "x", 400, "no content", ""},
		{"GET", "", "", 405, "the repository is not for GET", ""},
		{"DELETE", "", "", 403, "nothing but a lock is deleted", ""},
		{"HEAD", "config", "", 404, "", "HEAD config"},
		{"POST", "config", "a config", 200, "", "HEAD config POST config"},
		{"POST", "config", "another", 403, "config is there already", "HEAD config"},
		{"HEAD", "config", "", 200, "", "HEAD config"},
		{"GET", "config", "", 200, "a config", "GET config"},
		{"DELETE", "config", "", 403, "nothing but a lock is deleted", ""},
		{"PUT", "config", "x", 405, "config is not for PUT", ""},
		{"GET", "config?x", "", 400, "nothing else takes a query", ""},
		{"GET", "config/", "", 404, "no such path", ""},
		{"POST", "data/" + name, "a pack", 200, "", "HEAD data/" + name + " POST data/" + name},
		{"POST", "data/" + name, "a pack", 200, "", "HEAD data/" + name + " GET data/" + name},
		{"POST", "data/" + name, "another pack", 400, "is not its name", "HEAD data/" + name + " GET data/" + name},
		{"POST", "keys/" + name, "a pack", 200, "", "HEAD keys/" + name + " POST keys/" + name},
		{"POST", "keys/" + name, "a pack", 200, "", "HEAD keys/" + name + " GET keys/" + name},
		{"POST", "index/" + name, "a pack", 200, "", "HEAD index/" + name + " POST index/" + name},
		{"POST", "locks/" + name, "a pack", 200, "", "HEAD locks/" + name + " POST locks/" + name},
		{"POST", "snapshots/" + name, "a pack", 200, "", "HEAD snapshots/" + name + " POST snapshots/" + name},
		{"GET", "data/", "", 200, `[{"name":"` + name + `","size":6}]`, "GET data/"},
		{"GET", "locks/", "", 200, name, "GET locks/"},
		{"HEAD", "data/", "", 405, "", ""},
		{"POST", "data/", "x", 405, "", ""},
		{"DELETE", "data/", "", 403, "nothing but a lock", ""},
		{"GET", "data", "", 404, "no such path", ""},
		{"HEAD", "data/" + name, "", 200, "", "HEAD data/" + name},
		{"GET", "data/" + name, "", 200, "a pack", "GET data/" + name},
		{"GET", "data/" + absent, "", 404, "does not have data/" + absent, "GET data/" + absent},
		{"DELETE", "data/" + name, "", 403, "nothing but a lock", ""},
		{"DELETE", "keys/" + name, "", 403, "nothing but a lock", ""},
		{"DELETE", "index/" + name, "", 403, "nothing but a lock", ""},
		{"DELETE", "snapshots/" + name, "", 403, "nothing but a lock", ""},
		{"DELETE", "locks/" + name, "", 200, "", "DELETE locks/" + name},
		{"DELETE", "locks/" + name, "", 404, "", "DELETE locks/" + name},
		{"DELETE", "locks/", "", 403, "nothing but a lock", ""},
		{"PATCH", "data/" + name, "", 405, "", ""},
		{"OPTIONS", "data/" + name, "", 405, "", ""},
		{"POST", "data/" + strings.ToUpper(name), "a pack", 404, "no such path", ""},
		{"POST", "data/" + name[1:], "a pack", 404, "no such path", ""},
		{"POST", "data/" + name + "0", "a pack", 404, "no such path", ""},
		{"GET", "data//" + name, "", 404, "no such path", ""},
		{"GET", "/data/" + name, "", 404, "no such path", ""},
		{"GET", "data/../config", "", 404, "no such path", ""},
		{"GET", "data/%2e%2e/config", "", 404, "no such path", ""},
		{"GET", "data%2f" + name, "", 404, "no such path", ""},
		{"GET", "data/%61" + name[1:], "", 404, "no such path", ""},
		{"GET", "%63onfig", "", 404, "no such path", ""},
		{"GET", "data/" + name + "/", "", 404, "no such path", ""},
		{"GET", "data/" + name + "\x00", "", 404, "no such path", ""},
		{"GET", "..", "", 404, "no such path", ""},
		{"DELETE", "locks/../data/" + name, "", 403, "nothing but a lock", ""},
		{"DELETE", "locks%2f" + name, "", 403, "nothing but a lock", ""},
		{"GET", "data/" + name, "x", 400, "takes no content", ""},
		{"DELETE", "locks/" + name, "x", 400, "takes no content", ""},
		{"POST", "data/" + name, "", 400, "is empty", ""},
		{"POST", "data/" + name, strings.Repeat("x", 1<<20+1), 413, "more than 1048576", ""},
		{"POST", "config", strings.Repeat("x", 1<<16+1), 413, "more than 65536", ""},
		{"POST", "data/" + absent, "another pack", 400, "is not its name", perhaps},
		{"POST", "keys/" + absent, "another key", 400, "is not its name", perhaps},
		{"POST", "snapshots/" + absent, strings.Repeat("large", 100_000), 400, "is not its name", perhaps},
	}
	r := newRig(t, newStorage(), nil)
	base := "/base" + backup.Path("shops", own)
	for _, test := range tests {
		request := r.request(test.method, "", strings.NewReader(test.body))
		below, query, _ := strings.Cut(test.below, "?")
		request.URL.Opaque = "//" + request.URL.Host + request.URL.Path + strings.ReplaceAll(below, "\x00", "%00") // sent as it is
		request.URL.RawQuery, request.URL.ForceQuery = query, strings.HasSuffix(test.below, "?")
		response, text, err := r.do(request)
		if err != nil || response.StatusCode != test.want || !strings.Contains(text, test.text) {
			t.Errorf("%s %q: %d %q, error %v, want %d %q", test.method, test.below, response.StatusCode, text, err, test.want, test.text)
		}
		if asked := strings.ReplaceAll(strings.Join(r.storage.wasAsked(), " "), base, ""); asked != test.asks && test.asks != perhaps {
			t.Errorf("%s %q: the storage is asked %q, want %q", test.method, test.below, asked, test.asks)
		}
		if test.want == 405 && response.Header.Get("Allow") == "" {
			t.Errorf("%s %q: no Allow", test.method, test.below)
		}
	}
	want := []string{"config", "data/" + name, "index/" + name, "keys/" + name, "snapshots/" + name}
	for i := range want {
		want[i] = backup.Path("shops", own) + want[i]
	}
	if kept := r.storage.keeps(); !slices.Equal(kept, want) {
		t.Errorf("the storage keeps %q, want %q", kept, want)
	}
}

func TestOnlyTheStoreItselfIsLetThrough(t *testing.T) {
	r := newRig(t, newStorage(), func(c *Config) { c.Keys = keys(t, strings.ToUpper(key)+","+key) })
	passwords, others := r.gate.Keys.GatePasswords("shops", own), r.gate.Keys.GatePasswords("shops", other)
	gate, repository := passwords[0], r.gate.Keys.RepositoryPasswords("shops", own)[0]
	var refusals []string
	for what, test := range map[string]struct {
		path, user, password string
		want                 int
	}{
		"the newest key":                  {backup.Path("shops", own), own, passwords[0], 404},
		"an older key":                    {backup.Path("shops", own), own, passwords[1], 404},
		"no credentials":                  {backup.Path("shops", own), "", "", 401},
		"another password":                {backup.Path("shops", own), own, gate + "0", 401},
		"an empty password":               {backup.Path("shops", own), own, "", 401},
		"the repository's password":       {backup.Path("shops", own), own, repository, 401},
		"another user":                    {backup.Path("shops", own), other, gate, 401},
		"another store's path":            {backup.Path("shops", other), own, gate, 401},
		"another store's path, its name":  {backup.Path("shops", other), other, gate, 401},
		"another store's credentials":     {backup.Path("shops", own), other, others[0], 401},
		"another installation":            {backup.Path("staging", own), own, gate, 401},
		"no repository":                   {"/", own, gate, 401},
		"an escaped path":                 {"/%73hops/" + own + "/", own, gate, 401},
		"a path that climbs":              {"/shops/" + other + "/../" + own + "/", own, gate, 401},
		"a doubled slash":                 {"//shops/" + own + "/", own, gate, 401},
		"the storage's own password":      {backup.Path("shops", own), "gate", storagePassword, 401},
		"a path of the gate's metrics":    {"/metrics", own, gate, 401},
		"a label in capital letters":      {backup.Path("shops", strings.ToUpper(own)), strings.ToUpper(own), gate, 401},
		"a path without its last segment": {"/shops/", own, gate, 401},
	} {
		request := r.request(http.MethodGet, "", nil)
		request.URL.Opaque = "//" + request.URL.Host + test.path + "config"
		request.Header.Del("Authorization")
		if test.user != "" {
			request.SetBasicAuth(test.user, test.password)
		}
		response, text, err := r.do(request)
		if err != nil || response.StatusCode != test.want {
			t.Errorf("%s: %d, error %v, want %d", what, response.StatusCode, err, test.want)
		}
		if asked := r.storage.wasAsked(); (len(asked) > 0) != (test.want == 404) {
			t.Errorf("%s: the storage is asked %q", what, asked)
		}
		if test.want == 401 {
			refusals = append(refusals, text)
			if response.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: no WWW-Authenticate", what)
			}
		}
	}
	if slices.Sort(refusals); refusals[0] != refusals[len(refusals)-1] {
		t.Errorf("one refusal is told from another: %q, %q", refusals[0], refusals[len(refusals)-1])
	}
}

// TestNothingOfOneSideReachesTheOther: the storage does not see the client's credentials, nor the client the storage's, its address or its headers; and none of it is logged.
func TestNothingOfOneSideReachesTheOther(t *testing.T) {
	r := newRig(t, newStorage(), nil)
	name := sum("a pack")
	request := r.request(http.MethodPost, "data/"+name, strings.NewReader("a pack"))
	request.Header.Set("Accept", "application/vnd.x.restic.rest.v2")
	request.Header.Set("Cookie", "x=y")
	request.Header.Set("X-Forwarded-For", "10.0.0.1")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Connection", "Upgrade")
	if response, text, _ := r.do(request); response.StatusCode != 200 {
		t.Fatalf("%d %s", response.StatusCode, text)
	}
	seen := r.storage.seen[1]
	for name, values := range r.storage.seen[0] { // of the gate's own look
		if name != "Authorization" {
			t.Errorf("the storage gets the header %s: %q", name, values)
		}
	}
	for name, values := range seen {
		if !slices.Contains([]string{"Accept", "Authorization", "Content-Length"}, name) {
			t.Errorf("the storage gets the header %s: %q", name, values)
		}
	}
	if seen.Get("Accept") != "application/vnd.x.restic.rest.v2" || seen.Get("Content-Length") != "6" {
		t.Errorf("the storage gets %v", seen)
	}
	r.storage.instead = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "x=y")
		w.Header().Set("Server", "secret")
		_, _ = w.Write([]byte("x"))
	}
	response, _, _ := r.do(r.request(http.MethodGet, "config", nil))
	for name := range response.Header {
		if !slices.Contains([]string{"Content-Length", "Content-Type", "Date"}, name) {
			t.Errorf("the client gets the header %s", name)
		}
	}
	r.storage.instead = func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "secret "+r.Host+r.Header.Get("Authorization"), http.StatusInternalServerError)
	}
	_, text := r.send(http.MethodGet, "config", "")
	r.gate.Storage.Host = "127.0.0.1:1"
	_, unreachable := r.send(http.MethodGet, "config", "")
	if !strings.Contains(unreachable, "the storage of backups cannot be reached") {
		t.Errorf("%q", unreachable)
	}
	for what, text := range map[string]string{"answer": text + unreachable, "log": r.log.String()} {
		for _, secret := range []string{storagePassword, r.gate.Keys.GatePasswords("shops", own)[0], key, "Basic", "secret"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: %q is in it:\n%s", what, secret, text)
			}
		}
	}
	if strings.Contains(text+unreachable, "127.0.0.1") {
		t.Errorf("the client is told the storage's address: %q", text+unreachable)
	}
}

func TestPartsOfAFile(t *testing.T) {
	r := newRig(t, newStorage(), nil)
	content := strings.Repeat("0123456789", 100)
	name := sum(content)
	r.send(http.MethodPost, "data/"+name, content)
	for header, want := range map[string]string{"bytes=0-": content, "bytes=10-19": "0123456789", "bytes=995-": "56789", "bytes=995-2000": "56789"} {
		request := r.request(http.MethodGet, "data/"+name, nil)
		request.Header.Set("Range", header)
		if response, text, err := r.do(request); err != nil || text != want || response.StatusCode != 206 {
			t.Errorf("%s: %d %q, error %v", header, response.StatusCode, text, err)
		}
	}
	for header, want := range map[string]int{"bytes=1000-": 416, "bytes=-5": 400, "bytes=0-1,5-6": 400, "lines=0-": 400} {
		request := r.request(http.MethodGet, "data/"+name, nil)
		request.Header.Set("Range", header)
		if response, text, err := r.do(request); err != nil || response.StatusCode != want {
			t.Errorf("%s: %d %q, error %v, want %d", header, response.StatusCode, text, err, want)
		}
	}
	request := r.request(http.MethodGet, "data/", nil)
	request.Header.Set("Range", "bytes=0-")
	if response, _, _ := r.do(request); response.StatusCode != 400 {
		t.Errorf("a part of a list: %d", response.StatusCode)
	}
}

// TestAConfigIsNeverReplaced: not even where the storage would.
func TestAConfigIsNeverReplaced(t *testing.T) {
	s := newStorage()
	s.appendOnly = false
	r := newRig(t, s, nil)
	r.send(http.MethodPost, "config", "first")
	if code, text := r.send(http.MethodPost, "config", "second"); code != 403 || string(s.files[backup.Path("shops", own)+"config"]) != "first" {
		t.Errorf("%d %s", code, text)
	}
	s.instead = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	if code, text := r.send(http.MethodPost, "config", "second"); code != 502 || len(s.wasAsked()) != 4 {
		t.Errorf("a storage that does not say whether there is one: %d %s", code, text)
	}
}
