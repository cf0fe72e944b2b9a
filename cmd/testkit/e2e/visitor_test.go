//go:build realcluster

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"
)

// visitor acts as a browser: cookies are kept, and redirects within the shop are followed. Requests go to the shop's pod under the shop's
// address, as an ingress that ends TLS would pass them on, or through the front door.
type visitor struct {
	t      *testing.T
	client *http.Client
	origin string
}

// answerTime is for one question; a shop that has just started on a busy node takes its time.
const answerTime = 90 * time.Second

func newVisitor(t *testing.T, way http.RoundTripper, origin string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, &http.Client{Transport: way, Jar: jar, Timeout: answerTime, CheckRedirect: withinShop}, origin}
}

// pastIngress is the way to a port-forward.
func pastIngress(t *testing.T, addr string) http.RoundTripper {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return throughIngress{transport}
}

// throughIngress speaks plain HTTP to the pod and says what the visitor used.
type throughIngress struct{ next http.RoundTripper }

func (i throughIngress) RoundTrip(req *http.Request) (*http.Response, error) {
	inside := req.Clone(req.Context())
	inside.Host = req.URL.Host
	inside.Header.Set("X-Forwarded-Proto", req.URL.Scheme)
	inside.URL.Scheme = "http"
	return i.next.RoundTrip(inside)
}

func withinShop(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return fmt.Errorf("the shop leads elsewhere, to %s://%s", req.URL.Scheme, req.URL.Host)
	}
	if len(via) > 8 {
		return fmt.Errorf("the shop redirects in a circle, by way of %s", req.URL.Path)
	}
	return nil
}

// answer is what came back in the end.
type answer struct {
	question string // as it was asked first
	url      *url.URL
	status   int
	header   http.Header
	body     []byte
}

// ask puts one question. The body is nil, a form, bytes as they are, or anything else as JSON; headers are name and
// value in turn.
func (v *visitor) ask(method, path string, body any, headers ...string) answer {
	v.t.Helper()
	a, err := v.try(method, path, body, headers...)
	if err != nil {
		v.t.Fatal(err)
	}
	return a
}

// try is ask where there may be no answer.
func (v *visitor) try(method, path string, body any, headers ...string) (answer, error) {
	content, kind, err := encode(body)
	if err != nil {
		return answer{}, err
	}
	target := path
	if path[0] == '/' {
		target = v.origin + path
	}
	req, err := http.NewRequest(method, target, bytes.NewReader(content))
	if err != nil {
		return answer{}, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	a := answer{question: method + " " + path}
	resp, err := v.client.Do(req)
	if err != nil {
		return a, fmt.Errorf("%s got no answer: %w", a.question, err)
	}
	defer resp.Body.Close()
	a.status, a.header, a.url = resp.StatusCode, resp.Header, resp.Request.URL
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20)); err != nil {
		return a, fmt.Errorf("%s: the answer broke off: %w", a.question, err)
	}
	return a, nil
}

func encode(body any) (content []byte, kind string, err error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case url.Values:
		return []byte(b.Encode()), "application/x-www-form-urlencoded", nil
	case []byte:
		return b, "", nil
	}
	content, err = json.Marshal(body)
	return content, "application/json", err
}

// api is ask where the answer has to be 2xx and, unless into is nil, JSON.
func (v *visitor) api(into any, method, path string, body any, headers ...string) answer {
	v.t.Helper()
	a := v.ask(method, path, body, headers...)
	if a.status < 200 || a.status > 299 {
		v.t.Fatalf("%s answered %d: %s", a.question, a.status, shorten(string(a.body)))
	}
	if into != nil {
		if err := json.Unmarshal(a.body, into); err != nil {
			v.t.Fatalf("%s answered no JSON (%v): %s", a.question, err, shorten(string(a.body)))
		}
	}
	return a
}

// refused asks something that has to be answered with the status.
func (v *visitor) refused(status int, method, path string, body any, headers ...string) {
	v.t.Helper()
	if a := v.ask(method, path, body, headers...); a.status != status {
		v.t.Fatalf("%s answered %d, want %d: %s", a.question, a.status, status, shorten(string(a.body)))
	}
}

// page asks for a page that has to be there.
func (v *visitor) page(path string) (body string) {
	v.t.Helper()
	return string(v.api(nil, http.MethodGet, path, nil).body)
}

// picture is a PNG of one pixel.
var picture = mustDecode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")

func mustDecode(text string) []byte {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}
