//go:build ignore

// faults is a proxy of HTTP that spoils some of what passes, for .ci/backup-s3: go run .ci/faults.go ADDRESS TARGET CONTROL [CERT KEY], with TLS on both
// sides where there is a certificate. At CONTROL,
// /?kind=KIND&of=N&method=METHOD&path=PART&for=DURATION has one in N requests of that method, with that in their path, spoiled from then on, for that long; without a kind none is. Which ones is the same in each run, but in no step with
// clients that try again. It answers how many were spoiled before.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// trickle is what passes in a second where it is slowed down.
const trickle = 512

var errCut = errors.New("cut off")

// proxy passes requests on as they are, signatures and all.
type proxy struct {
	scheme    string
	target    string
	transport *http.Transport

	mu      sync.Mutex
	kind    string
	method  string
	path    string
	of      int
	until   time.Time
	random  *rand.Rand
	spoiled int
}

func main() {
	p := &proxy{target: os.Args[2], transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}}
	go func() { log.Fatal(http.ListenAndServe(os.Args[3], http.HandlerFunc(p.control))) }()
	if len(os.Args) < 6 {
		p.scheme = "http"
		log.Fatal(http.ListenAndServe(os.Args[1], p))
	}
	p.scheme, p.transport.TLSClientConfig = "https", &tls.Config{InsecureSkipVerify: true} // the target is this test's
	// There is no HTTP/2: what is cut off is a connection.
	server := &http.Server{Addr: os.Args[1], Handler: p, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	log.Fatal(server.ListenAndServeTLS(os.Args[4], os.Args[5]))
}

func (p *proxy) control(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(w, p.spoiled)
	q := r.URL.Query()
	p.kind, p.method, p.path, p.spoiled, p.random = q.Get("kind"), q.Get("method"), q.Get("path"), 0, rand.New(rand.NewPCG(1, 2))
	p.of, _ = strconv.Atoi(q.Get("of"))
	p.until = time.Now().Add(time.Hour)
	if d, err := time.ParseDuration(q.Get("for")); err == nil {
		p.until = time.Now().Add(d)
	}
	p.transport.CloseIdleConnections()
}

// spoils says what is done to this request: "" is nothing.
func (p *proxy) spoils(r *http.Request) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kind == "" || p.method != "" && r.Method != p.method || !strings.Contains(r.URL.Path, p.path) || time.Now().After(p.until) {
		return ""
	}
	if p.random.IntN(max(1, p.of)) != 0 {
		return ""
	}
	p.spoiled++
	return p.kind
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := p.spoils(r)
	switch kind {
	case "500", "503":
		code, _ := strconv.Atoi(kind)
		http.Error(w, "spoiled", code)
		return
	case "silence":
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	case "cut-request":
		if r.ContentLength <= 0 {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), failing{}))
	case "slow":
		r.Body = io.NopCloser(&slow{r.Body, r.Context()})
	case "flip-request":
		r.Body = io.NopCloser(&flip{r.Body})
	}
	response, err := p.pass(r)
	if err != nil {
		panic(http.ErrAbortHandler) // as if there were no proxy
	}
	defer response.Body.Close()
	p.answer(w, r, response, kind)
}

// pass sends the request on. Its path and its headers stay as they are, for they are signed.
func (p *proxy) pass(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL = &url.URL{Scheme: p.scheme, Host: p.target, Opaque: "//" + p.target + r.URL.EscapedPath(), RawQuery: r.URL.RawQuery}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return p.transport.RoundTrip(out)
}

func (p *proxy) answer(w http.ResponseWriter, r *http.Request, response *http.Response, kind string) {
	var body io.Reader = response.Body
	switch kind {
	case "cut-answer", "long", "short":
		p.lie(w, r, response, kind)
		return
	case "slow":
		body = &slow{body, r.Context()}
	case "flip-answer":
		body = &flip{body}
	}
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
	if _, err := io.Copy(flushed{w}, body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// lie answers with less, or with another length, than there is, and closes the connection. An answer without a body is lost where one with a body is cut.
func (p *proxy) lie(w http.ResponseWriter, r *http.Request, response *http.Response, kind string) {
	content, _ := io.ReadAll(response.Body)
	length := len(content)
	if r.Method == http.MethodHead {
		length = int(response.ContentLength)
	}
	switch {
	case kind == "cut-answer" && (length == 0 || r.Method == http.MethodHead):
		panic(http.ErrAbortHandler)
	case kind == "cut-answer":
		content = content[:length/2]
	case kind == "long":
		length += 100
	case kind == "short":
		length /= 2
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %s\r\n", response.Status)
	response.Header.Del("Transfer-Encoding")
	response.Header.Set("Content-Length", strconv.Itoa(length))
	_ = response.Header.Write(&head)
	head.WriteString("\r\n")
	_, _ = conn.Write(append(head.Bytes(), content...))
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // what has been sent arrives
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }

// slow reads a little at a time.
type slow struct {
	io.Reader
	ctx context.Context
}

func (s *slow) Read(b []byte) (int, error) {
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(time.Second / 4):
	}
	return s.Reader.Read(b[:min(len(b), trickle/4)])
}

// flip changes a bit of all that is read at a time.
type flip struct{ io.Reader }

func (f *flip) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if n > 0 {
		b[n/2] ^= 1
	}
	return n, err
}

// flushed hands on what it gets at once.
type flushed struct{ w http.ResponseWriter }

func (f flushed) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = http.NewResponseController(f.w).Flush()
	}
	return n, err
}
