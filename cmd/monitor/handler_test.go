package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"orchestrator/cmd/testkit/redistest"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// site is a monitor of a Redis with one task, whose payload and type are like those of a provision.
type site struct {
	handler http.Handler
	log     *bytes.Buffer
	session []*http.Cookie
}

const (
	testID      = "1700000000123.s-1"
	testPayload = `{"store_id":"s-1","generation":1700000000123,"password":"S3CRET"}`
)

func newSite(t *testing.T, readOnly bool) site {
	t.Helper()
	client, err := redisconn.Connect(redistest.Mini(t), redisconn.FailFast, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	task := asynq.NewTask(queue.TypeOf(queue.QueueProvision), []byte(testPayload))
	if _, err := asynq.NewClientFromRedisClient(client).Enqueue(task, asynq.Queue(queue.QueueProvision), asynq.TaskID(testID)); err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	return siteOf(t, config{User: "op", Password: "correct horse", ReadOnly: readOnly}, client, log)
}

// siteOf is a monitor of a Redis; its only user is logged in.
func siteOf(t *testing.T, c config, client redis.UniversalClient, log *bytes.Buffer) site {
	t.Helper()
	c.Deadline = time.Hour
	handler, _, err := newHandler(c, client, slog.New(slog.NewJSONHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := site{handler: handler, log: log}
	s.session = s.logIn("op", "correct horse").Result().Cookies()
	log.Reset()
	return s
}

// logIn sends the form of the login.
func (s site) logIn(user, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://monitor.example/login", strings.NewReader(url.Values{"user": {user}, "password": {password}, "next": {"/stores"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// ask sends a request of the user. headers are pairs of name and value that override its headers; "-" removes one.
func (s site) ask(method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://monitor.example"+path, nil)
	for _, c := range s.session {
		r.AddCookie(c)
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "-" {
			r.Header.Del(headers[i])
		}
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func TestLoginIsRequired(t *testing.T) {
	s := newSite(t, true)
	for _, path := range []string{"/", "/stores", "/stores/s-1", "/live", "/queues/", "/queues/api/queues", "/queues/static/js/main.5adda2da.chunk.js", "/healthz/", "/nothing"} {
		for _, cookie := range []string{"-", "orchestrator-session=", "orchestrator-session=e30.x", "orchestrator-session=" + s.session[0].Value + "x", "other=" + s.session[0].Value} {
			if w := s.ask("GET", path, "Cookie", cookie); w.Code != 401 {
				t.Errorf("GET %s with %q: %d", path, cookie, w.Code)
			}
		}
		if w := s.ask("GET", path, "Cookie", "-", "Accept", "text/html"); w.Code != 303 || w.Header().Get("Location") != "/login?next="+url.QueryEscape(path) {
			t.Errorf("a browser that asks for %s: %d %s", path, w.Code, w.Header().Get("Location"))
		}
	}
	for _, path := range []string{"/login", "/static/style.css", "/static/live.js"} {
		if w := s.ask("GET", path, "Cookie", "-"); w.Code != 200 {
			t.Errorf("GET %s without a session: %d", path, w.Code)
		}
	}
	if w := s.ask("GET", "/queues/api/queues"); w.Code != 200 || !strings.Contains(w.Body.String(), `"provision"`) {
		t.Errorf("with the login: %d %s", w.Code, w.Body)
	}
}

func TestHandlerServesHealthzWithoutTheLogin(t *testing.T) {
	if w := newSite(t, true).ask("GET", "/healthz", "Cookie", "-"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

func TestHandlerRefusesChangesFromOtherSites(t *testing.T) {
	s := newSite(t, false)
	pause := "/queues/api/queues/provision:pause"
	for name, headers := range map[string][]string{
		"a foreign origin":      {"Origin", "http://evil.example"},
		"an opaque origin":      {"Origin", "null"},
		"the browser's word":    {"Sec-Fetch-Site", "cross-site"},
		"a neighbouring origin": {"Sec-Fetch-Site", "same-site", "Origin", "http://other.monitor.example"},
	} {
		if w := s.ask("POST", pause, headers...); w.Code != 403 {
			t.Errorf("%s: %d, want 403", name, w.Code)
		}
	}
	if s.log.Len() != 0 {
		t.Errorf("a refused change is logged as asked for: %s", s.log)
	}
	if w := s.ask("POST", pause, "Sec-Fetch-Site", "same-origin", "Origin", "http://monitor.example"); w.Code >= 300 {
		t.Errorf("its own page: %d %s", w.Code, w.Body)
	}
	if w := s.ask("POST", pause, "Cookie", "-", "Origin", "http://monitor.example"); w.Code != 401 {
		t.Errorf("without the login: %d, want 401", w.Code)
	}
}

func TestHandlerRefusesChangesIfReadOnly(t *testing.T) {
	changes := []string{
		"POST /queues/api/queues/provision:pause",
		"DELETE /queues/api/queues/provision",
		"POST /queues/api/queues/provision/pending_tasks/" + testID + ":archive",
		"DELETE /queues/api/queues/provision/pending_tasks/" + testID,
		"DELETE /queues/api/queues/provision/pending_tasks:delete_all",
	}
	s := newSite(t, true)
	for _, change := range changes {
		method, path, _ := strings.Cut(change, " ")
		if w := s.ask(method, path); w.Code != 405 {
			t.Errorf("%s: %d, want 405", change, w.Code)
		}
	}
	if w := s.ask("GET", "/queues/api/queues/provision/tasks/"+testID); w.Code != 200 || !strings.Contains(w.Body.String(), `"state":"pending"`) {
		t.Errorf("the task afterwards: %d %s", w.Code, w.Body)
	}
}

func TestAuditLogNamesTheOperator(t *testing.T) {
	s := newSite(t, false)
	path := "/queues/api/queues/provision/pending_tasks/" + testID + ":archive"
	if w := s.ask("POST", path); w.Code >= 300 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := s.ask("GET", "/queues/api/queues/provision/tasks/"+testID); !strings.Contains(w.Body.String(), `"state":"archived"`) {
		t.Errorf("the task afterwards: %s", w.Body)
	}
	text := s.log.String()
	if !strings.Contains(text, `"msg":"audit","actor":"op","action":"queue.post"`) || !strings.Contains(text, path) || !strings.Contains(text, `"result":"accepted"`) || strings.Contains(text, "correct horse") {
		t.Errorf("the log is %s", text)
	}
}

func TestHandlerShowsNoSecretOfATask(t *testing.T) {
	url := redistest.Mini(t)
	client, err := redisconn.Connect(url, redisconn.FailFast, redisconn.TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	enqueue := func(id string, opts ...asynq.Option) {
		task := asynq.NewTask("store:provision", []byte(testPayload))
		opts = append(opts, asynq.Queue("provision"), asynq.TaskID(id), asynq.Retention(time.Hour))
		if _, err := asynq.NewClientFromRedisClient(client).Enqueue(task, opts...); err != nil {
			t.Fatal(err)
		}
	}
	enqueue("1.done")
	enqueue("2.later", asynq.ProcessIn(time.Hour))
	finished := make(chan struct{})
	server := asynq.NewServerFromRedisClient(client, asynq.Config{Queues: map[string]int{"provision": 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel})
	if err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		defer close(finished)
		_, err := task.ResultWriter().Write([]byte("S3CRET"))
		return err
	})); err != nil {
		t.Fatal(err)
	}
	<-finished
	server.Shutdown()
	enqueue("3.waits")

	s := siteOf(t, config{User: "op", Password: "correct horse"}, client, &bytes.Buffer{})
	for path, wanted := range map[string]string{
		"/queues/api/queues/provision/tasks/1.done":    `"state":"completed"`,
		"/queues/api/queues/provision/tasks/2.later":   `"state":"scheduled"`,
		"/queues/api/queues/provision/completed_tasks": "1.done",
		"/queues/api/queues/provision/scheduled_tasks": "2.later",
		"/queues/api/queues/provision/pending_tasks":   "3.waits",
	} {
		w := s.ask("GET", path)
		body := w.Body.String()
		if w.Code != 200 || !strings.Contains(body, wanted) || !strings.Contains(body, `\"store_id\":\"s-1\"`) {
			t.Errorf("GET %s: %d %s", path, w.Code, body)
		}
		if strings.Contains(body, "S3CRET") || strings.Contains(body, "password") {
			t.Errorf("GET %s shows a secret: %s", path, body)
		}
	}
}

var externalURL = regexp.MustCompile(`(?:src|href)="(?:https?:)?//`)

func TestCSPLoadsNothingFromOtherServers(t *testing.T) {
	s := newSite(t, true)
	for _, path := range []string{"/queues/", "/queues/index.html", "/queues/queues/provision", "/queues/queues/provision/tasks/" + testID, "/queues/nothing/here.html", "/queues/settings"} {
		w := s.ask("GET", path)
		body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("GET %s is not a page: %d %v", path, w.Code, w.Header())
		}
		if strings.Contains(body, "googleapis") || externalURL.MatchString(body) {
			t.Errorf("GET %s names another site", path)
		}
		if !strings.Contains(body, `id="root"`) {
			t.Errorf("GET %s: the page is gone: %s", path, body)
		}
		if strings.Count(policy, "'sha256-") != strings.Count(body, "<script>") || strings.Contains(policy, "script-src 'self' 'unsafe-inline'") {
			t.Errorf("GET %s: the policy is %s", path, policy)
		}
	}
}

func TestSetHeadersGivesFilesTheirTypes(t *testing.T) {
	s := newSite(t, true)
	page := s.ask("GET", "/queues/").Body.String()
	scripts := regexp.MustCompile(`src="(/queues/static/[^"]+\.js)"`).FindAllStringSubmatch(page, -1)
	if len(scripts) == 0 {
		t.Fatal("the page has no scripts")
	}
	for _, script := range scripts {
		w := s.ask("GET", script[1])
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/javascript") || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("GET %s: %d %v", script[1], w.Code, w.Header())
		}
	}
	if w := s.ask("GET", "/queues/static/media/logo-color.c2b0c1f3.svg"); w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("the logo has the type %s", w.Header().Get("Content-Type"))
	}
	if w := s.ask("GET", "/queues/static/none.svg"); !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a page in place of a missing file has the type %s", w.Header().Get("Content-Type"))
	}
}

func TestCSPKeepsResponsesFromCachesFramesAndReferrers(t *testing.T) {
	s := newSite(t, true)
	for _, path := range []string{"/", "/login", "/queues/", "/queues/api/queues"} {
		h := s.ask("GET", path).Header()
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("GET %s: %v", path, h)
		}
	}
}
