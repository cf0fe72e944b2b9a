package gate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// pipes is a network without buffers: a write waits until the other side reads.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	gone  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), gone: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.gone:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.gone) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.gone:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// slow runs test in a bubble, with a gate that waits a minute between a client and a storage, and looks afterwards whether every slot came back.
func slow(t *testing.T, instead http.HandlerFunc, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		front, behind := newPipes(), newPipes()
		s := newStorage()
		s.instead = instead
		transport := Transport(10)
		transport.DialContext = behind.dial
		r := &rig{t: t, storage: s, url: "http://gate", log: &safeBuffer{}, reg: prometheus.NewRegistry(), client: &http.Client{Transport: &http.Transport{DialContext: front.dial}}}
		c := Config{Keys: keys(t, key), Storage: &url.URL{Scheme: "http", Host: "storage", Path: "/base", User: url.UserPassword("gate", storagePassword)},
			MaxObject: 1 << 30, AtOnce: 10, PerStore: 10, Stall: time.Minute, Transport: transport}
		r.gate = New(c, r.reg, slog.New(slog.NewJSONHandler(r.log, nil)))
		servers := []*http.Server{{Handler: r.gate}, {Handler: s}}
		for i, listener := range []*pipes{front, behind} {
			go func() { _ = servers[i].Serve(listener) }()
		}
		test(t, r)
		synctest.Wait()
		if n := r.gate.slots.taken(); n != 0 {
			t.Errorf("%d slots are taken at the end", n)
		}
		r.client.CloseIdleConnections()
		transport.CloseIdleConnections()
		for _, server := range servers {
			_ = server.Close()
		}
	})
}

// dripping gives some bytes at once and then some in each period, and nothing any more after it was closed.
type dripping struct {
	first       int
	size, every int // bytes, and milliseconds
	left        int
	once        sync.Once
	closed      chan struct{}
}

func drip(size, every, left int) *dripping {
	return &dripping{first: 10_000, size: size, every: every, left: left, closed: make(chan struct{})}
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	if n := min(d.first, len(p)); n > 0 {
		d.first -= n
		d.left -= n
		clear(p[:n])
		return n, nil
	}
	select {
	case <-time.After(time.Duration(d.every) * time.Millisecond):
		n := min(d.size, d.left, len(p))
		d.left -= n
		clear(p[:n])
		return n, nil
	case <-d.closed:
		return 0, errors.New("closed")
	}
}

func (d *dripping) Close() error { d.once.Do(func() { close(d.closed) }); return nil }

func (r *rig) upload(size int64, body io.Reader) *http.Request {
	request := r.request(http.MethodPost, "data/"+sum(strings.Repeat("\x00", int(size))), body)
	request.ContentLength = size
	return request
}

// TestASlowClientGivesItsSlotBack: one that stops, and one that goes on with a byte a second.
func TestASlowClientGivesItsSlotBack(t *testing.T) {
	for what, every := range map[string]int{"stops": 1e9, "a byte a second": 1000} {
		t.Run(what, func(t *testing.T) {
			slow(t, nil, func(t *testing.T, r *rig) {
				began := time.Now()
				body := drip(1, every, 100_000)
				response, text, err := r.do(r.upload(100_000, body))
				_ = body.Close()
				if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
					t.Errorf("it was ended after %s", took)
				}
				writes := err != nil && every == 1000 // it may be writing when the connection is closed, and then hears nothing
				if !writes && (err != nil || response.StatusCode != 408 || !strings.Contains(text, "the client has moved less")) {
					t.Errorf("%d %q, error %v", response.StatusCode, text, err)
				}
				synctest.Wait()
				if kept := r.storage.keeps(); len(kept) > 0 || !strings.Contains(r.log.String(), "the client has moved less") {
					t.Errorf("the storage keeps %q; log:\n%s", kept, r.log)
				}
			})
		})
	}
}

// TestASteadyClientMayTakeItsTime: there is no bound on the whole.
func TestASteadyClientMayTakeItsTime(t *testing.T) {
	slow(t, nil, func(t *testing.T, r *rig) {
		began := time.Now()
		if response, text, err := r.do(r.upload(1<<20, drip(1<<10, 1000, 1<<20))); err != nil || response.StatusCode != 200 {
			t.Errorf("%d %q, error %v", response.StatusCode, text, err)
		}
		if took := time.Since(began); took < 15*time.Minute || len(r.storage.keeps()) != 1 {
			t.Errorf("took %s, the storage keeps %q", took, r.storage.keeps())
		}
	})
}

// TestASlowStorageGivesTheSlotBack: one that does not answer, and one that takes nothing.
func TestASlowStorageGivesTheSlotBack(t *testing.T) {
	for what, read := range map[string]bool{"reads and does not answer": true, "does not read": false} {
		t.Run(what, func(t *testing.T) {
			slow(t, nil, func(t *testing.T, r *rig) {
				leave := make(chan struct{})
				defer close(leave)
				r.storage.instead = afterTheLook(func(_ http.ResponseWriter, r *http.Request) {
					if read {
						_, _ = io.Copy(io.Discard, r.Body)
					}
					<-leave
				})
				began := time.Now()
				response, text, err := r.do(r.upload(100_000, strings.NewReader(strings.Repeat("\x00", 100_000))))
				if err != nil || response.StatusCode != 504 || !strings.Contains(text, "the storage has moved less") || strings.Contains(text, "storage:") {
					t.Errorf("%d %q, error %v", response.StatusCode, text, err)
				}
				if took := time.Since(began); took < time.Minute || took > 3*time.Minute {
					t.Errorf("it was ended after %s", took)
				}
			})
		})
	}
}

// TestAClientComesAgainAfterASilence: by the connection that it has, which the server must not take for one whose client has left.
func TestAClientComesAgainAfterASilence(t *testing.T) {
	silence := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	slow(t, silence, func(t *testing.T, r *rig) {
		if code, text := r.send(http.MethodHead, "config", ""); code != 504 {
			t.Errorf("%d %q", code, text)
		}
		synctest.Wait()
		r.storage.instead = nil
		for range 2 {
			if code, text := r.send(http.MethodHead, "config", ""); code != 404 {
				t.Errorf("%d %q, want what the storage answers", code, text)
			}
		}
	})
}

// TestAStorageThatStopsInTheMiddleBreaksTheAnswerOff.
func TestAStorageThatStopsInTheMiddleBreaksTheAnswerOff(t *testing.T) {
	half := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 50_000))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	slow(t, half, func(t *testing.T, r *rig) {
		began := time.Now()
		if response, text, err := r.do(r.request(http.MethodGet, "config", nil)); err == nil {
			t.Errorf("%d, %d bytes for the whole", response.StatusCode, len(text))
		}
		if took := time.Since(began); took < time.Minute || took > 3*time.Minute {
			t.Errorf("it was ended after %s", took)
		}
	})
}

// TestAClientThatDoesNotReadGivesItsSlotBack.
func TestAClientThatDoesNotReadGivesItsSlotBack(t *testing.T) {
	long := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10000000")
		_, _ = w.Write(make([]byte, 10_000_000))
	}
	slow(t, long, func(t *testing.T, r *rig) {
		response, err := r.client.Do(r.request(http.MethodGet, "config", nil))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute) // of the bubble
		synctest.Wait()
		if n := r.gate.slots.taken(); n != 0 {
			t.Errorf("%d slots are taken", n)
		}
		response.Body.Close()
	})
}

// TestARefusedClientIsNotWaitedFor: one that goes on sending, slowly, what was refused at once.
func TestARefusedClientIsNotWaitedFor(t *testing.T) {
	slow(t, nil, func(t *testing.T, r *rig) {
		body := drip(1, 1000, 100_000)
		request := r.upload(100_000, body)
		request.Method = http.MethodPut
		began := time.Now()
		if response, _, err := r.do(request); err == nil && response.StatusCode != 405 { // it may be writing when the connection is closed
			t.Errorf("%d", response.StatusCode)
		}
		<-body.closed
		if took := time.Since(began); took > 2*farewell {
			t.Errorf("its connection was kept for %s", took)
		}
	})
}

// TestAConnectionOutlivesAStalledDeadline: deadlines of one request do not end a later one of the same connection.
func TestAConnectionOutlivesAStalledDeadline(t *testing.T) {
	slow(t, nil, func(t *testing.T, r *rig) {
		for range 3 {
			for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPost} {
				body := ""
				if method == http.MethodPost {
					body = "x"
				}
				if code, text := r.send(method, "config", body); code != 404 && code != 403 && code != 200 {
					t.Errorf("%s: %d %s", method, code, text)
				}
				time.Sleep(time.Hour) // of the bubble
			}
		}
	})
}
