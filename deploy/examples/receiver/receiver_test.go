// Package receiver runs the example receivers of callbacks against the service's own sender.
package receiver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orchestrator/provision"
	"orchestrator/worker/callback"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// languages are how each receiver is built, from a copy of its folder, and what it needs on this machine.
var languages = map[string]struct {
	needs []string
	build func(t *testing.T, dir string) *exec.Cmd
}{
	"go":         {[]string{"go"}, goReceiver},
	"python":     {[]string{"python3"}, pythonReceiver},
	"typescript": {[]string{"node", "npm"}, typeScriptReceiver},
}

func TestReceivers(t *testing.T) {
	for name, language := range languages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, program := range language.needs {
				if _, err := exec.LookPath(program); err != nil {
					t.Skipf("NOT RUN: the receiver in %s: %s is not installed", name, program)
				}
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(name)); err != nil {
				t.Fatal(err)
			}
			take(t, language.build(t, dir), filepath.Join(dir, "data"))
		})
	}
}

func goReceiver(t *testing.T, dir string) *exec.Cmd {
	output(t, exec.Command("go", "build", "-o", filepath.Join(dir, "receiver"), "./go"))
	return exec.Command(filepath.Join(dir, "receiver"))
}

// The library in Python is in the same module as the one in Go, so that it needs no package index.
func pythonReceiver(t *testing.T, dir string) *exec.Cmd {
	module := output(t, exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/standard-webhooks/standard-webhooks/libraries"))
	c := exec.Command("python3", "-B", filepath.Join(dir, "receiver.py"))
	c.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(module, "python"))
	return c
}

func typeScriptReceiver(t *testing.T, dir string) *exec.Cmd {
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	if text, err := install.CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: the receiver in typescript: its packages cannot be had: %v: %.300s", err, text)
	}
	build := exec.Command("npm", "run", "--silent", "build")
	build.Dir = dir
	output(t, build)
	return exec.Command("node", filepath.Join(dir, "receiver.js"))
}

func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	text, err := c.Output()
	if err != nil {
		failed, _ := err.(*exec.ExitError)
		t.Fatalf("%v: %v: %s %s", c.Args, err, text, failed.Stderr)
	}
	return strings.TrimSpace(string(text))
}

// process is a receiver that runs; its lines say what it has done.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   *url.URL
	lines *bufio.Scanner
}

func start(t *testing.T, command *exec.Cmd, data string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	p := &process{t: t, cmd: exec.CommandContext(ctx, command.Path, command.Args[1:]...)}
	p.cmd.Env = append(command.Environ(), "ADDR=127.0.0.1:0", "ORCH_WEBHOOK_SECRET="+secret, "DATA="+data)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.lines = bufio.NewScanner(out)
	addr, ok := strings.CutPrefix(p.line(), "listening on ")
	if !ok {
		t.Fatalf("%v does not listen: %q", p.cmd.Args, addr)
	}
	p.url = &url.URL{Scheme: "http", Host: addr}
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) line() string {
	p.lines.Scan()
	return p.lines.Text()
}

// between stands between the sender and a receiver, and changes what passes.
type between struct {
	mu     sync.Mutex
	change func(r *http.Request, body []byte) // of the next request
	status int                                // of the last answer
}

func (b *between) next(change func(*http.Request, []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change = change
}

func (b *between) answered() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *between) serve(t *testing.T, to *url.URL) *callback.Sender {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			body, _ := io.ReadAll(r.In.Body)
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.change != nil {
				b.change(r.Out, body)
				b.change = nil
			}
			r.Out.Body = io.NopCloser(bytes.NewReader(body))
		},
		ModifyResponse: func(r *http.Response) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.status = r.StatusCode
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	sender, err := callback.NewSender(server.URL+"/api", "token", secret, callback.TLSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func message(generation, sequence int64) callback.Message {
	return callback.Message{ID: fmt.Sprintf("%d.%d.shop.1", generation, sequence), StoreID: "shop.1", Generation: generation, Sequence: sequence,
		Status: provision.StatusReady, URL: "https://käse.example.com", Password: `"<&>“`}
}

// take sends a receiver all that a backend may get.
func take(t *testing.T, command *exec.Cmd, data string) {
	p, b := start(t, command, data), &between{}
	sender := b.serve(t, p.url)
	sent := func(m callback.Message, want string) {
		t.Helper()
		if r := sender.Send(t.Context(), m); r.Outcome != callback.Delivered || b.answered() != http.StatusNoContent {
			t.Fatalf("%s: answered %d: %+v", m.ID, b.answered(), r)
		}
		if got := p.line(); got != want+" "+m.ID+" READY" {
			t.Errorf("%q, want %s", got, want)
		}
	}
	refused := func(m callback.Message, what string, want int, change func(*http.Request, []byte)) {
		t.Helper()
		b.next(change)
		if r := sender.Send(t.Context(), m); b.answered() != want || r.Outcome == callback.Delivered {
			t.Errorf("%s: answered %d: %+v, want %d", what, b.answered(), r, want)
		}
	}
	sent(message(7, 2), "taken")
	sent(message(7, 2), "repeated")
	sent(message(7, 3), "taken") // a failure that became a success

	next := message(9, 4)
	for i := range length(t, next) {
		refused(next, fmt.Sprintf("byte %d of the body is another", i), http.StatusUnauthorized, func(_ *http.Request, body []byte) { body[i] ^= 1 })
	}
	for i := range 42 { // of the 43rd character only four bits count, and the 44th is =
		refused(next, fmt.Sprintf("byte %d of the signature is another", i), http.StatusUnauthorized, func(r *http.Request, _ []byte) {
			signature := []byte(r.Header.Get("webhook-signature"))
			signature[len("v1,")+i] ^= 1
			r.Header.Set("webhook-signature", string(signature))
		})
	}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		refused(next, "without "+name, http.StatusUnauthorized, func(r *http.Request, _ []byte) { r.Header.Del(name) })
	}
	refused(next, "the id of a later one", http.StatusUnauthorized, func(r *http.Request, _ []byte) { r.Header.Set("webhook-id", "99.9.shop.1") })
	refused(next, "the path of another store", http.StatusBadRequest, func(r *http.Request, _ []byte) { r.URL.Path = "/api/stores/other/status" })

	sent(next, "taken") // so none of those was
	sent(message(9, 3), "older")
	sent(message(8, 9), "older")
	p.kill()
	p = start(t, command, data)
	sender = b.serve(t, p.url)
	sent(next, "repeated") // what was answered with 204 is kept
	sent(message(10, 1), "taken")
}

// length is how long the body of a message is.
func length(t *testing.T, m callback.Message) (n int) {
	b := &between{}
	b.next(func(_ *http.Request, body []byte) { n = len(body) })
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	to, _ := url.Parse(server.URL)
	b.serve(t, to).Send(t.Context(), m)
	return n
}
