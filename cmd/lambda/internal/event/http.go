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

// Gateway passes HTTP events to a handler.
type Gateway struct {
	Handler  http.Handler
	BasePath string // path that a custom domain maps to this API, such as /orchestrator; it is removed from the paths that the handler sees
}

// gatewayRequest is what all kinds of HTTP events have in common.
type gatewayRequest struct {
	method, path, rawQuery, stage string
	host, sourceIP, protocol      string
	header                        http.Header
	body                          string
	base64                        bool
}

// request converts the event to the request that the handler sees.
func (g Gateway) request(ctx context.Context, c gatewayRequest) (*http.Request, error) {
	body := []byte(c.body)
	if c.base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(c.body); err != nil {
			return nil, fmt.Errorf("the body of the event is marked as base64 but is not: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, c.method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the event has no valid HTTP request: %w", err)
	}
	req.URL = requestURL(g.handlerPath(c), c.rawQuery)
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

// handlerPath removes the base path or the stage, which the gateway needs only to find this function.
func (g Gateway) handlerPath(c gatewayRequest) string {
	if rest, ok := cutPathPrefix(c.path, strings.TrimSuffix(g.BasePath, "/")); ok && g.BasePath != "" {
		return rest
	}
	if c.stage != "" && c.stage != "$default" {
		if rest, ok := cutPathPrefix(c.path, "/"+c.stage); ok {
			return rest
		}
	}
	return c.path
}

// cutPathPrefix removes a prefix of whole path segments.
func cutPathPrefix(path, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return path, false
	}
	return "/" + strings.TrimPrefix(rest, "/"), true
}

// requestURL returns the URL of an escaped path. Some gateways send the path unescaped; if it cannot be unescaped, it is used
// unchanged.
func requestURL(path, rawQuery string) *url.URL {
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

// response records the response of the handler.
type response struct {
	header http.Header
	sent   http.Header // the headers at the time of WriteHeader; later changes have no effect
	status int
	body   bytes.Buffer
}

func (g Gateway) serve(req *http.Request) *response {
	a := &response{header: http.Header{}}
	g.Handler.ServeHTTP(a, req)
	a.WriteHeader(http.StatusOK)
	if req.Method == http.MethodHead {
		a.body.Reset()
	}
	return a
}

func (a *response) Header() http.Header { return a.header }

func (a *response) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *response) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// content returns the body as an event can hold it: UTF-8 text unchanged, everything else in base64.
func (a *response) content() (body string, encoded bool) {
	if utf8.Valid(a.body.Bytes()) {
		return a.body.String(), false
	}
	return base64.StdEncoding.EncodeToString(a.body.Bytes()), true
}
