package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"orchestrator/provision"
)

const (
	responseTimeout = 15 * time.Second // for one request; some shops never respond without their database
	maxResponseBody = 1 << 20          // shop pages have about 0.2 MB
	maxRedirects    = 5
)

// shopClient sends requests to a shop under the shop's own address. Its errors are of CodeUnavailable: a shop that fails a
// check now may pass it in a moment, and the caller knows when to give up.
type shopClient struct {
	client *http.Client
	origin *url.URL
	public bool // requests go to the public address, and messages name it
}

// response is what a shop sent back. The request line is public; the body is not, and no error quotes it.
type response struct {
	request  string // GET /shop/
	path     string // of the page, after redirects that the http.Client has followed
	status   int
	location string // of a redirect: path and query, with the host only where it is not the shop's
	body     []byte
}

// do sends one request. prepare, which may be nil, sets headers; body, which may be nil, is sent as JSON.
func (c shopClient) do(ctx context.Context, method, path string, body any, prepare func(*http.Request)) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, responseTimeout)
	defer cancel()
	request, err := c.request(ctx, method, path, body)
	if err != nil {
		return response{}, err
	}
	if prepare != nil {
		prepare(request)
	}
	result := response{request: method + " " + shorten(path)}
	if c.public {
		result.request = method + " " + shorten(c.origin.String()+path)
	}
	received, err := c.client.Do(request)
	if err != nil {
		return result, result.noResponse(err)
	}
	defer func() { _ = received.Body.Close() }()
	result.path, result.status, result.location = received.Request.URL.Path, received.StatusCode, c.locationOf(received)
	if result.body, err = io.ReadAll(io.LimitReader(received.Body, maxResponseBody)); err != nil {
		return result, result.noResponse(err)
	}
	return result, nil
}

func (c shopClient) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, c.origin.String()+path, nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.origin.String()+path, bytes.NewReader(text))
	if err == nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, err
}

// follow gets a page and follows redirects within the shop, up to the first response for which stop is true.
func (c shopClient) follow(ctx context.Context, path string, stop func(response) bool) (response, error) {
	visited := map[string]bool{}
	for range maxRedirects {
		visited[path] = true
		page, err := c.do(ctx, http.MethodGet, path, nil, nil)
		if err != nil || page.location == "" || page.location[0] != '/' || stop(page) {
			return page, err
		}
		if path = page.location; visited[path] {
			return page, page.unexpected("the shop redirects in a circle")
		}
	}
	return response{}, provision.Errorf(provision.CodeUnavailable, "GET %s is the end of %d redirects: the shop keeps redirecting", shorten(path), maxRedirects)
}

// locationOf returns the target of a redirect: a path within the shop, else scheme and host; "" if the response is no
// redirect.
func (c shopClient) locationOf(received *http.Response) string {
	target, err := received.Location()
	switch {
	case received.StatusCode < 300 || received.StatusCode > 399 || err != nil:
		return ""
	case target.Host == c.origin.Host:
		return target.RequestURI()
	}
	return target.Scheme + "://" + target.Host
}

// unexpected makes an error of a response: what was requested, what came back, and what that means.
func (r response) unexpected(meaning string) error {
	came := fmt.Sprintf("%s answered %d", r.request, r.status)
	if r.location != "" {
		came += " to " + shorten(r.location)
	}
	return provision.Errorf(provision.CodeUnavailable, "%s: %s", came, meaning)
}

// noResponse makes an error of a request that failed or took too long.
func (r response) noResponse(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return provision.Wrap(provision.CodeUnavailable, err, "%s got no answer in time", r.request)
	}
	return provision.Wrap(provision.CodeUnavailable, err, "%s got no answer: %s", r.request, transportReason(err))
}

// shorten keeps text that a shop has sent from filling a message.
func shorten(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
