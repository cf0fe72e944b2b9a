package login

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// site is a gate with a page behind it that names its user.
type site struct {
	gate *Gate
	log  *bytes.Buffer
}

func newSite(users Users, proxy Proxy) site {
	log := &bytes.Buffer{}
	form := func(w http.ResponseWriter, _ *http.Request, status int, problem string) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("login: " + problem))
	}
	return site{NewGate(users, "", proxy, form, slog.New(slog.NewTextHandler(log, nil))), log}
}

func one(role Role) One { return One{User: User{"ana", role}, Password: "correct horse"} }

func (s site) submit(user, password, next, from string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/login", strings.NewReader(url.Values{"user": {user}, "password": {password}, "next": {next}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	s.gate.Submit(w, r)
	return w
}

// visit asks for a page, with a cookie and with headers.
func (s site) visit(cookie *http.Cookie, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/stores?status=FAILED", nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.gate.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := UserOf(r.Context())
		_, _ = w.Write([]byte(u.Name + " " + string(u.Role)))
	})).ServeHTTP(w, r)
	return w
}

func sessionOf(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("cookies %v", cookies)
	}
	return cookies[0]
}

func TestALoginLeadsToWhatWasWanted(t *testing.T) {
	for next, want := range map[string]string{
		"/stores?status=FAILED": "/stores?status=FAILED", "/runbook#orchestratornoworker": "/runbook#orchestratornoworker", "": "/", "stores": "/", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "/a\r\nb": "/",
	} {
		s := newSite(one(Operator), Proxy{})
		w := s.submit("ana", "correct horse", next, "192.0.2.1:5")
		if w.Code != 303 || w.Header().Get("Location") != want {
			t.Errorf("%q: %d to %s", next, w.Code, w.Header().Get("Location"))
		}
		if got := s.visit(sessionOf(t, w)); got.Body.String() != "ana operator" {
			t.Errorf("afterwards: %d %s", got.Code, got.Body)
		}
	}
}

func TestASessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(one(Viewer), Proxy{})
		cookie := sessionOf(t, s.submit("ana", "correct horse", "/", "192.0.2.1:5"))
		visit := func() int {
			w := s.visit(cookie)
			if renewed := w.Result().Cookies(); len(renewed) > 0 {
				cookie = renewed[0]
			}
			return w.Code
		}
		for range 7 { // in use, for ten and a half hours
			time.Sleep(90 * time.Minute)
			if code := visit(); code != 200 {
				t.Errorf("in use: %d", code)
			}
		}
		time.Sleep(100 * time.Minute)
		if code := visit(); code != 401 {
			t.Errorf("after half a day: %d", code)
		}
		cookie = sessionOf(t, s.submit("ana", "correct horse", "/", "192.0.2.1:5"))
		time.Sleep(sessionIdle + time.Minute)
		if code := visit(); code != 401 {
			t.Errorf("idle for two hours: %d", code)
		}
	})
}

func TestASessionEndsWithThePassword(t *testing.T) {
	cookie := sessionOf(t, newSite(one(Operator), Proxy{}).submit("ana", "correct horse", "/", "192.0.2.1:5"))
	other := one(Operator)
	other.Password = "another"
	for name, users := range map[string]Users{"another password": other, "another role": one(Viewer)} {
		if w := newSite(users, Proxy{}).visit(cookie); w.Code != 401 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := newSite(one(Operator), Proxy{}).visit(cookie); w.Code != 200 {
		t.Errorf("another monitor with the same users: %d", w.Code)
	}
}

func TestPasswordsAreTriedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(one(Operator), Proxy{})
		codes := map[int]int{}
		for range 20 {
			codes[s.submit("ana", "a guess", "/", "192.0.2.1:5").Code]++
		}
		if codes[401] != triesAtOnce || codes[429] != 20-triesAtOnce {
			t.Errorf("answers %v", codes)
		}
		if w := s.submit("bo", "a guess", "/", "192.0.2.1:6"); w.Code != 429 {
			t.Errorf("another name from the same address: %d", w.Code)
		}
		if w := s.submit("bo", "a guess", "/", "198.51.100.1:5"); w.Code != 401 {
			t.Errorf("another name from another address: %d", w.Code)
		}
		time.Sleep(tryEvery)
		if w := s.submit("ana", "correct horse", "/", "192.0.2.1:5"); w.Code != 303 {
			t.Errorf("the right one, later: %d", w.Code)
		}
		if strings.Contains(s.log.String(), "guess") || strings.Contains(s.log.String(), "correct") || strings.Contains(s.log.String(), "actor=bo") {
			t.Errorf("the log has what was typed: %s", s.log)
		}
	})
}

func TestTriesAreFewWhateverIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := tries{now: time.Now}
		allowed := 0
		for i := range 3 * triesKept {
			if limits.allow("192.0.2.1", strings.Repeat("x", 1000)+fmt.Sprint(i)) {
				allowed++
			}
		}
		if allowed != triesAtOnce || len(limits.of) > triesAtOnce+1 {
			t.Errorf("one address was allowed %d tries, %d are kept", allowed, len(limits.of))
		}
		for range 20 { // an address that is refused takes none of a name
			limits.allow("192.0.2.1", "ana")
		}
		if !limits.allow("192.0.2.2", "ana") {
			t.Error("another address was locked out")
		}
		for i := range 3 * triesKept {
			limits.allow(fmt.Sprint("198.51.100.", i), fmt.Sprint(i))
		}
		if len(limits.of) > triesKept {
			t.Errorf("%d are kept", len(limits.of))
		}
		time.Sleep(time.Hour)
		if !limits.allow("192.0.2.3", "bo") || len(limits.of) > 10 {
			t.Errorf("an hour later %d are kept", len(limits.of))
		}
	})
}

func TestANetworkIsOneAddress(t *testing.T) {
	for a, b := range map[string]string{"2001:db8:1:2::1": "2001:db8:1:2:ffff::9", "192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "@": "@"} {
		if network(a) != network(b) {
			t.Errorf("%s and %s are not one", a, b)
		}
	}
	if network("2001:db8:1:2::1") == network("2001:db8:1:3::1") || network("192.0.2.1") == network("192.0.2.2") {
		t.Error("two are one")
	}
}

func TestAProxyNamesTheUser(t *testing.T) {
	proxy := Proxy{Header: "X-User", Secret: "s3cret", Operators: []string{"bo"}}
	s := newSite(one(Operator), proxy)
	for name, c := range map[string]struct {
		headers []string
		want    string
	}{
		"an operator":    {[]string{"X-User", "bo", proxySecret, "s3cret"}, "bo operator"},
		"a viewer":       {[]string{"X-User", "cy", proxySecret, "s3cret"}, "cy viewer"},
		"no name":        {[]string{proxySecret, "s3cret"}, ""},
		"no secret":      {[]string{"X-User", "bo"}, ""},
		"a wrong secret": {[]string{"X-User", "bo", proxySecret, "guess"}, ""},
	} {
		w := s.visit(nil, c.headers...)
		if ok := w.Code == 200; ok != (c.want != "") || ok && w.Body.String() != c.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := newSite(one(Operator), Proxy{}).visit(nil, "X-User", "bo", proxySecret, ""); w.Code != 401 {
		t.Errorf("without a proxy: %d", w.Code)
	}
}

func TestUsersOfAFile(t *testing.T) {
	hash := func(password string) string {
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	path := filepath.Join(t.TempDir(), "users")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# staff\n\nana operator " + hash("a") + "\nbo viewer " + hash("b") + "\n")
	f, err := OpenFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		role           Role
	}{{"ana", "a", Operator}, {"bo", "b", Viewer}, {"ana", "b", ""}, {"cy", "x", ""}, {"", "", ""}} {
		if u, ok := f.Check(c.name, c.password); ok != (c.role != "") || ok && u != (User{c.name, c.role}) {
			t.Errorf("%s with %s: %v %v", c.name, c.password, u, ok)
		}
	}
	key := f.Key()
	write("bo operator " + hash("b") + "\n")
	if u, ok := f.Find("bo"); !ok || u.Role != Operator || bytes.Equal(key, f.Key()) {
		t.Errorf("after a change: %v %v", u, ok)
	}
	if _, ok := f.Find("ana"); ok {
		t.Error("who was removed is there")
	}
	write("half a li")
	if _, ok := f.Find("bo"); !ok {
		t.Error("a file that is being written ends all sessions")
	}
}

func TestMistakesInAFileOfUsersAreNamedTogether(t *testing.T) {
	_, err := parseUsers([]byte("ana\nbo boss $2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy\ncy viewer SECRET-HASH\n\nbo viewer x\n"))
	for _, want := range []string{"line 1: want a name", "line 2: the role must be", "line 3: the third word is not a bcrypt", "line 5: there is a line for this name"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "SECRET") {
		t.Error("the error has a hash")
	}
	if _, err := parseUsers([]byte("# none\n")); err == nil {
		t.Error("a file without a user")
	}
}
