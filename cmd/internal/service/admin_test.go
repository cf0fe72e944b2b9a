package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestAdminServesProbesAndOperators(t *testing.T) {
	var failure error
	h := Admin(Metrics("toy"), func(ctx context.Context) error {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("the check has no deadline")
		}
		return failure
	})
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/metrics": `orchestrator_build_info{component="toy"`, "/debug/pprof/": "goroutine", "/debug/pprof/cmdline": "service"} {
		if code, text := get(t, h, path); code != 200 || !strings.Contains(text, want) {
			t.Errorf("%s answers %d %.100q", path, code, text)
		}
	}
	failure = errors.New("Redis does not answer")
	if code, text := get(t, h, "/readyz"); code != 503 || !strings.Contains(text, failure.Error()) {
		t.Errorf("/readyz answers %d %q", code, text)
	}
	if code, _ := get(t, h, "/healthz"); code != 200 {
		t.Errorf("/healthz answers %d: a process that waits for Redis would be killed", code)
	}
	if code, _ := get(t, h, "/elsewhere"); code != 404 {
		t.Errorf("/elsewhere answers %d", code)
	}
}

func TestListenNamesTheVariable(t *testing.T) {
	l, err := Listen("TOY_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen("TOY_ADDR", l.Addr().String()); err == nil || !strings.HasPrefix(err.Error(), "TOY_ADDR: ") {
		t.Errorf("%v", err)
	}
}

// serving starts Serve and returns its address, what stops it and its result.
func serving(t *testing.T, h http.HandlerFunc) (addr string, stop func(), ended chan error) {
	t.Helper()
	l, err := Listen("TOY_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	ended = make(chan error, 1)
	go func() { ended <- ServeAdmin(ctx, h, l) }()
	return l.Addr().String(), cancel, ended
}

func TestServeWaitsForRequestsInFlight(t *testing.T) {
	entered, release := make(chan bool), make(chan bool)
	addr, stop, ended := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		entered <- true
		<-release
		fmt.Fprint(w, "done")
	})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	stop()
	waitRefused(t, addr)
	select {
	case err := <-ended:
		t.Fatalf("it ended with %v while a request was in flight", err)
	default:
	}
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != "done" {
		t.Errorf("the request in flight was answered %q", text)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// waitRefused waits until the address refuses connections.
func waitRefused(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("it accepts connections although it stops")
}

func TestServeEndsIfItIsStoppedBeforeItStarts(t *testing.T) {
	l, err := Listen("TOY_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ServeAdmin(ctx, http.NotFoundHandler(), l); err != nil {
		t.Errorf("%v", err)
	}
	waitRefused(t, l.Addr().String())
}

func TestServeReturnsTheErrorOfItsListener(t *testing.T) {
	l, err := Listen("TOY_ADDR", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := ServeAdmin(t.Context(), http.NotFoundHandler(), l); err == nil {
		t.Error("no error")
	}
}

// pipes is a listener whose connections are in memory, so that a test can use a fake clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestServeCutsOffRequestsThatDoNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ended, cut := make(chan error, 1), make(chan struct{})
		go func() {
			ended <- ServeAdmin(ctx, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(cut) }), l)
		}()
		client, server := net.Pipe()
		defer client.Close()
		l.conns <- server
		fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		stop()
		start := time.Now()
		if err := <-ended; err != nil || time.Since(start) != shutdownTimeout {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		<-cut
	})
}
