package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"orchestrator/provision"
)

func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/orchestrate", "first,second")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestClientSendsIngestsRequests(t *testing.T) {
	var got []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("X-Orchestrator-Token")+r.Header.Get("If-Match"))
		fmt.Fprint(w, `{"store_id":"a.b","action":"delete","generation":7,"task_id":"7.a.b"}`)
	})
	ctx := context.Background()
	a, err := c.Submit(ctx, 0, []byte(`{}`))
	if err != nil || a.Generation != 7 || a.TaskID != "7.a.b" {
		t.Errorf("%+v, %v", a, err)
	}
	_, _ = c.Delete(ctx, "a.b", 0, Deletion{})
	_, _ = c.Store(ctx, "a/b")
	_, _ = c.Stores(ctx, provision.StoreFilter{}, "", 50)
	_, _ = c.Stores(ctx, provision.StoreFilter{Status: "FAILED", Query: "a b"}, "12", 5)
	_, _ = c.DeadLetters(ctx, "12", 5)
	_, _ = c.Delete(ctx, "a.b", 7, Deletion{RetainData: true, Erase: true})
	_, _ = c.Orphans(ctx, "failed", "12", 5)
	_, _ = c.Fleet().Clusters(ctx)
	_, _ = c.Fleet().SetLost(ctx, "e/u", true)
	_, _ = c.Fleet().SetLost(ctx, "eu", false)
	_, _ = c.Replay(ctx, "7.1.a/b")
	_, _ = c.Submit(ctx, 7, []byte(`{}`))
	_ = c.Change(ctx, "a.b", 7, Retry, nil, &a)
	_ = c.Change(ctx, "a.b", 0, Cancel, nil, &a)
	_ = c.Change(ctx, "a.b", 0, Suspend, map[string]string{"reason": "unpaid"}, &a)
	_ = c.Change(ctx, "a.b", 0, Resume, nil, &a)
	_ = c.Change(ctx, "a.b", 0, Rotate, nil, &a)
	_ = c.Change(ctx, "a.b", 7, Restore, provision.RestoreRequest{}, &a)
	_ = c.Change(ctx, "a.b", 7, Backup, nil, &a)
	_ = c.Change(ctx, "a.b", 0, Protect, nil, &a)
	_ = c.Change(ctx, "a.b", 0, Unprotect, nil, &a)
	want := []string{"POST / first", "DELETE /stores/a.b first", "GET /stores/a%2Fb first", "GET /stores?limit=50 first", "GET /stores?cursor=12&limit=5&q=a+b&status=FAILED first",
		"GET /dead-letters?cursor=12&limit=5 first", `DELETE /stores/a.b?erase=true&retain_data=true first"7"`, "GET /orphans?kind=failed&cursor=12&limit=5 first", "GET /clusters first", "POST /clusters/e%2Fu/lost first", "POST /clusters/eu/found first", "POST /dead-letters/7.1.a%2Fb/replay first",
		`POST / first"7"`, `POST /stores/a.b/retry first"7"`, "POST /stores/a.b/cancel first",
		"POST /stores/a.b/suspend first", "POST /stores/a.b/resume first", "POST /stores/a.b/rotate first", `POST /stores/a.b/restore first"7"`, `POST /stores/a.b/backup first"7"`,
		"POST /stores/a.b/protect first", "POST /stores/a.b/unprotect first"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestProblemErrorTexts(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   string
	}{
		{422, `{"title":"The request breaks a rule","status":422,"detail":"name x; host y","errors":[{"field":"name","detail":"is required"},{"field":"store_url","detail":"must be a URL"}]}`,
			"The request breaks a rule (422)\n  name       is required\n  store_url  must be a URL"},
		{409, `{"title":"The request contradicts a living store","status":409,"detail":"host is taken"}`, "The request contradicts a living store (409): host is taken"},
		{401, `{"title":"The token is missing or wrong","status":401,"detail":""}`, "The token is missing or wrong (401)"},
		{503, `{"title":"The request cannot be recorded now","status":503,"detail":"Redis does not answer"}`, "try again in 7 s"},
		{500, `{"title":"An internal error occurred","status":500,"detail":"see the id","instance":"abc"}`, "see the id (abc)"},
		{502, `<html>proxy</html>`, "not an answer of ingest: "},
		{302, ``, "302 Found"},
		{200, `<html>`, "not an answer of ingest: the response of"},
	}
	for _, test := range tests {
		_, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if test.status == 503 {
				w.Header().Set("Retry-After", "7")
			}
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}).Store(context.Background(), "s")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d: %v, want %q", test.status, err, test.want)
		}
	}
}

func TestClientFollowsNoRedirect(t *testing.T) {
	var asked int
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if _, err := c.Submit(context.Background(), 0, []byte(`{}`)); err == nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestIsTemporaryForUnreachableAndUnavailable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	c, err := New(server.URL, "t")
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	_, err = c.Store(context.Background(), "s")
	if !errors.Is(err, ErrUnreachable) || !IsTemporary(err) {
		t.Error(err)
	}
	_, err = serve(t, answer(503, `{"title":"x"}`)).Store(context.Background(), "s")
	if !IsTemporary(err) {
		t.Error(err)
	}
	_, err = serve(t, answer(404, `{"title":"x"}`)).Store(context.Background(), "s")
	if IsTemporary(err) {
		t.Error(err)
	}
}

func TestNewRefusesInvalidURLs(t *testing.T) {
	for _, raw := range []string{"", "localhost:9000", "ftp://a", "http://"} {
		if _, err := New(raw, "t"); err == nil {
			t.Errorf("%q is taken", raw)
		}
	}
}
