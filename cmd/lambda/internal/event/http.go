package event

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Gateway carries requests to a handler.
type Gateway struct {
	Handler  http.Handler
	BasePath string // that a custom domain maps to this API, such as /orchestrator; it is not a part of the handler's paths
}

// call is one request as all kinds of events can say it.
type call struct {
	method, path, rawQuery, stage string
	host, sourceIP, protocol      string
	header                        http.Header
	body                          string
	base64                        bool
}

// request is the call as the handler sees it.
func (g Gateway) request(ctx context.Context, c call) (*http.Request, error) {
	body := []byte(c.body)
	if c.base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(c.body); err != nil {
			return nil, fmt.Errorf("the body of the event is not the base64 that it says it is: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, c.method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the event has no request in it: %w", err)
	}
	req.URL = target(g.inside(c), c.rawQuery)
	req.RequestURI = req.URL.RequestURI()
	req.Header = c.header
	req.Host = c.header.Get("Host")
	if req.Host == "" {
		req.Host = c.host
	}
	req.Header.Del("Host") // as net/http's server does
	req.RemoteAddr = net.JoinHostPort(c.sourceIP, "0")
	if major, minor, ok := http.ParseHTTPVersion(c.protocol); ok {
		req.Proto, req.ProtoMajor, req.ProtoMinor = c.protocol, major, minor
	}
	return req, nil
}

// inside is the path without what only leads to this API.
func (g Gateway) inside(c call) string {
	if rest, ok := below(c.path, strings.TrimSuffix(g.BasePath, "/")); ok && g.BasePath != "" {
		return rest
	}
	if c.stage != "" && c.stage != "$default" {
		if rest, ok := below(c.path, "/"+c.stage); ok {
			return rest
		}
	}
	return c.path
}

// below is what follows a prefix of whole segments.
func below(path, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return path, false
	}
	return "/" + strings.TrimPrefix(rest, "/"), true
}

// target takes a path as it is written in a URL. Some gateways decode it: then it is taken as it stands.
func target(path, rawQuery string) *url.URL {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := &url.URL{Path: path, RawQuery: rawQuery}
	if decoded, err := url.PathUnescape(path); err == nil {
		u.Path = decoded
		if u.EscapedPath() != path {
			u.RawPath = path
		}
	}
	return u
}

// answer collects what the handler answers.
type answer struct {
	header http.Header
	sent   http.Header // as they were when the answer began: later changes do not count
	status int
	body   bytes.Buffer
}

func (g Gateway) serve(req *http.Request) *answer {
	a := &answer{header: http.Header{}}
	g.Handler.ServeHTTP(a, req)
	a.WriteHeader(http.StatusOK)
	if req.Method == http.MethodHead {
		a.body.Reset()
	}
	return a
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// content is the body as an event can carry it: text as it is, everything else in base64.
func (a *answer) content() (body string, encoded bool) {
	if utf8.Valid(a.body.Bytes()) {
		return a.body.String(), false
	}
	return base64.StdEncoding.EncodeToString(a.body.Bytes()), true
}
