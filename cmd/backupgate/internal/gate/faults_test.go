package gate

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"orchestrator/provision/backup"
)

// afterTheLook answers the gate's own look for a file that is sent: it is not there.
func afterTheLook(then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			http.NotFound(w, r)
			return
		}
		then(w, r)
	}
}

// raw reads the request, answers with these bytes and closes the connection.
func raw(t testing.TB, answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buffer.WriteString(answer)
		_ = buffer.Flush()
		_ = conn.Close()
	}
}

// TestAnAnswerThatIsNotWholeIsAnError: whatever the storage promises and does not keep, the client never takes it for a file.
func TestAnAnswerThatIsNotWholeIsAnError(t *testing.T) {
	const ok, partial = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 206 Partial Content\r\n"
	for what, test := range map[string]struct {
		method, below, requested, answer string
		want                             int // 0: the connection breaks
	}{
		"shorter than its length":             {"GET", "config", "", ok + "Content-Length: 100\r\n\r\nshort", 0},
		"a list shorter than its length":      {"GET", "data/", "", ok + "Content-Length: 100\r\n\r\n[", 0},
		"chunks without an end":               {"GET", "data/", "", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n", 0},
		"a file in chunks":                    {"GET", "config", "", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n0\r\n\r\n", 502},
		"a file that ends with the line":      {"GET", "config", "", "HTTP/1.0 200 OK\r\n\r\nshort", 502},
		"a list that ends with the line":      {"GET", "data/", "", "HTTP/1.0 200 OK\r\n\r\n[]", 502},
		"a part shorter than asked for":       {"GET", "config", "bytes=0-9", partial + "Content-Range: bytes 0-4/100\r\nContent-Length: 5\r\n\r\nshort", 502},
		"a part that denies its length":       {"GET", "config", "bytes=0-9", partial + "Content-Range: bytes 0-9/100\r\nContent-Length: 5\r\n\r\nshort", 502},
		"a part from elsewhere":               {"GET", "config", "bytes=5-9", partial + "Content-Range: bytes 0-4/100\r\nContent-Length: 5\r\n\r\nshort", 502},
		"a part that does not say which":      {"GET", "config", "bytes=0-9", partial + "Content-Length: 5\r\n\r\nshort", 502},
		"an open part that stops early":       {"GET", "config", "bytes=5-", partial + "Content-Range: bytes 5-9/100\r\nContent-Length: 5\r\n\r\nshort", 502},
		"a part that was not asked for":       {"GET", "config", "", partial + "Content-Range: bytes 0-4/100\r\nContent-Length: 5\r\n\r\nshort", 502},
		"the whole instead of a part":         {"GET", "config", "bytes=5-", ok + "Content-Length: 10\r\n\r\n0123456789", 502},
		"the whole instead of its beginning":  {"GET", "config", "bytes=0-4", ok + "Content-Length: 10\r\n\r\n0123456789", 502},
		"the whole where all was asked for":   {"GET", "config", "bytes=0-", ok + "Content-Length: 10\r\n\r\n0123456789", 200},
		"no answer":                           {"GET", "config", "", "", 502},
		"no HTTP":                             {"GET", "config", "", "hello\r\n\r\n", 502},
		"an error":                            {"GET", "config", "", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 502},
		"another place":                       {"GET", "config", "", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 502},
		"another protocol":                    {"GET", "config", "", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 502},
		"other credentials":                   {"GET", "config", "", "HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", 502},
		"a read that is forbidden":            {"GET", "config", "", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 502},
		"rclone's list that is not there":     {"GET", "data/", "", "HTTP/1.1 404 Not Found\r\nServer: rclone/v1.60.1\r\nContent-Length: 0\r\n\r\n", 502},
		"another's list that is not there":    {"GET", "data/", "", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404},
		"full":                                {"POST", "data/" + sum("x"), "", "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 0\r\n\r\n", 507},
		"full, in other words":                {"POST", "data/" + sum("x"), "", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", 502},
		"a file that has no place":            {"POST", "data/" + sum("x"), "", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 502},
		"a file that is only accepted":        {"POST", "data/" + sum("x"), "", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 502},
		"too many requests":                   {"POST", "data/" + sum("x"), "", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 503},
		"busy":                                {"POST", "data/" + sum("x"), "", "HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 503},
		"a file that has come meanwhile":      {"POST", "data/" + sum("x"), "", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 503},
		"a config that has come meanwhile":    {"POST", "config", "", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403},
		"a repository that is not to be made": {"POST", "?create=true", "", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 502},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, newStorage(), nil)
			r.storage.instead = afterTheLook(raw(t, test.answer))
			body := ""
			if test.method == http.MethodPost && !strings.HasPrefix(test.below, "?") {
				body = "x"
			}
			request := r.request(test.method, test.below, strings.NewReader(body))
			if test.requested != "" {
				request.Header.Set("Range", test.requested)
			}
			response, text, err := r.do(request)
			if test.want == 0 {
				if err == nil {
					t.Errorf("the client takes %d %q for the whole", response.StatusCode, text)
				}
				return
			}
			if err != nil || response.StatusCode != test.want {
				t.Errorf("%d %q, error %v, want %d", response.StatusCode, text, err, test.want)
			}
			if after := response.Header.Get("Retry-After"); (test.want == 503) != (after == "7" || after == "5") {
				t.Errorf("Retry-After is %q", after)
			}
		})
	}
}

// TestAFileCountsAsKeptOnlyWhenTheStorageHadAllOfIt: a success that comes before the end of the file is none.
func TestAFileCountsAsKeptOnlyWhenTheStorageHadAllOfIt(t *testing.T) {
	r := newRig(t, newStorage(), func(c *Config) { c.MaxObject = 64 << 20 })
	leave := make(chan struct{})
	r.storage.instead = afterTheLook(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_ = buffer.Flush()
		<-leave // and reads nothing
		conn.Close()
	})
	content := strings.Repeat("0123456789abcdef", 2<<20) // more than all buffers in between
	if code, text := r.send(http.MethodPost, "data/"+sum(content), content); code != 502 || !strings.Contains(text, "before it had all of it") {
		t.Errorf("%d %s", code, text)
	}
	close(leave)
}

// TestAFileThatIsCutOffIsNotKept: the client's connection breaks in the middle.
func TestAFileThatIsCutOffIsNotKept(t *testing.T) {
	r := newRig(t, newStorage(), nil)
	content := strings.Repeat("x", 100_000)
	for _, below := range []string{"config", "data/" + sum(content)} {
		body := io.MultiReader(strings.NewReader(content[:50_000]), failing{})
		request := r.request(http.MethodPost, below, body)
		if request.ContentLength = 60_000; below != "config" {
			request.ContentLength = int64(len(content))
		}
		if response, err := r.client.Do(request); err == nil {
			response.Body.Close()
			t.Errorf("%s: a request that breaks off is answered with %d", below, response.StatusCode)
		}
	}
	if kept := r.storage.keeps(); len(kept) > 0 {
		t.Errorf("the storage keeps %q", kept)
	}
}

// TestAFileThatIsSentAgainIsKept: the storage has kept it, and its answer was lost.
func TestAFileThatIsSentAgainIsKept(t *testing.T) {
	r := newRig(t, newStorage(), func(c *Config) { c.MaxObject = 8 << 20 })
	content := strings.Repeat("0123456789abcdef", 1<<18)
	path := backup.Path("shops", own) + "data/" + sum(content)
	lost := false
	r.storage.instead = func(w http.ResponseWriter, request *http.Request) {
		instead := r.storage.instead
		r.storage.instead = nil
		r.storage.ServeHTTP(w, request)
		if request.Method == http.MethodPost && !lost {
			lost = true
			panic(http.ErrAbortHandler)
		}
		r.storage.instead = instead
	}
	for i, want := range []int{502, 200, 200} {
		if code, text := r.send(http.MethodPost, "data/"+sum(content), content); code != want {
			t.Errorf("try %d: %d %s, want %d", i, code, text, want)
		}
	}
	r.storage.files[path] = []byte(content[1:])
	if code, text := r.send(http.MethodPost, "data/"+sum(content), content); code != 403 || !strings.Contains(text, "another content than its name says") {
		t.Errorf("what is there is not what its name says: %d %s", code, text)
	}
	if got := len(r.storage.files[path]); got != len(content)-1 {
		t.Errorf("what was there was replaced: %d bytes", got)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("the client is gone") }

func TestAFileWithoutItsLengthIsRefused(t *testing.T) {
	r := newRig(t, newStorage(), nil)
	request := r.request(http.MethodPost, "data/"+sum("x"), io.MultiReader(strings.NewReader("x")))
	response, text, err := r.do(request)
	if err != nil || response.StatusCode != 411 || len(r.storage.wasAsked()) > 0 {
		t.Errorf("%d %q, error %v", response.StatusCode, text, err)
	}
}

// TestARepositoryIsMadeByARequestInChunksOfNothing: restic 0.18 sends such. What is left of a request that is refused does not harm the next one.
func TestARepositoryIsMadeByARequestInChunksOfNothing(t *testing.T) {
	r := newRig(t, newStorage(), nil)
	for i := range 40 {
		content, want := "x", 400
		if i%2 == 1 {
			content, want = "", 200
		}
		if response, text, err := r.do(r.request(http.MethodPost, "?create=true", io.MultiReader(strings.NewReader(content)))); err != nil || response.StatusCode != want {
			t.Errorf("%q: %d %q, error %v", content, response.StatusCode, text, err)
		}
		if asked := r.storage.wasAsked(); (len(asked) == 1) != (want == 200) {
			t.Errorf("%q: the storage is asked %q", content, asked)
		}
	}
}

// TestSlotsBoundWhatIsInWork: of one store, and in all; refused requests cost the storage nothing, and slots come back.
func TestSlotsBoundWhatIsInWork(t *testing.T) {
	r := newRig(t, newStorage(), func(c *Config) { c.AtOnce, c.PerStore = 3, 2 })
	arrived, leave := make(chan struct{}), make(chan struct{})
	r.storage.instead = func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-leave
		w.WriteHeader(http.StatusNotFound)
	}
	ask := func(label string) *http.Request {
		request := r.request(http.MethodHead, "config", nil)
		request.URL.Path = strings.Replace(request.URL.Path, own, label, 1)
		request.SetBasicAuth(label, r.gate.Keys.GatePasswords("shops", label)[0])
		return request
	}
	var group sync.WaitGroup
	for _, label := range []string{own, own, other} {
		group.Go(func() {
			if response, err := r.client.Do(ask(label)); err != nil || response.StatusCode != 404 {
				t.Errorf("one that has a slot: %v, error %v", response, err)
			} else {
				response.Body.Close()
			}
		})
		<-arrived
	}
	for label, want := range map[string]int{own: 429, other: 503} {
		if response, _, err := r.do(ask(label)); err != nil || response.StatusCode != want || response.Header.Get("Retry-After") == "" {
			t.Errorf("one too many: %d, error %v, want %d", response.StatusCode, err, want)
		}
	}
	if text := r.metrics(); !strings.Contains(text, "orchestrator_backup_gate_requests_in_progress 3") {
		t.Error(text)
	}
	close(leave)
	group.Wait()
	r.storage.instead = nil
	if code, text := r.send(http.MethodHead, "config", ""); code != 404 {
		t.Errorf("a slot that was given back: %d %s", code, text)
	}
	if n := r.gate.slots.taken(); n != 0 || len(r.gate.slots.of) != 0 {
		t.Errorf("%d slots are taken at the end, of %v", n, r.gate.slots.of)
	}
}
