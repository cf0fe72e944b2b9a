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
	answerTime = 15 * time.Second // for one question; a Medusa without its database never answers
	answerSize = 1 << 20          // of a body is read; the shop page of WooCommerce has about 0.2 MB
	mostHops   = 5
)

// asker asks a shop under its own address. Its errors are of CodeUnavailable: what a shop does not do now it may do in a
// moment, and who asks knows when to give up.
type asker struct {
	client  *http.Client
	origin  *url.URL
	outside bool // over the public address: messages name it
}

// answer is what came back. The question is public; the body is not, and no error quotes it.
type answer struct {
	question string // GET /shop/
	status   int
	location string // of a redirect: path and query, with the host only where it is not the shop's
	body     []byte
}

// ask puts one question. prepare, which may be nil, sets headers; body, which may be nil, goes as JSON.
func (a asker) ask(ctx context.Context, method, path string, body any, prepare func(*http.Request)) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := a.request(ctx, method, path, body)
	if err != nil {
		return answer{}, err
	}
	if prepare != nil {
		prepare(request)
	}
	result := answer{question: method + " " + shorten(path)}
	if a.outside {
		result.question = method + " " + shorten(a.origin.String()+path)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return result, result.unanswered(err)
	}
	defer func() { _ = response.Body.Close() }()
	result.status, result.location = response.StatusCode, a.locationOf(response)
	if result.body, err = io.ReadAll(io.LimitReader(response.Body, answerSize)); err != nil {
		return result, result.unanswered(err)
	}
	return result, nil
}

func (a asker) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, a.origin.String()+path, nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.origin.String()+path, bytes.NewReader(text))
	if err == nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, err
}

// follow gets a page, along redirects within the shop. The way to WordPress's installer is not walked: the answer that
// leads there is the one to report.
func (a asker) follow(ctx context.Context, path string) (answer, error) {
	asked := map[string]bool{}
	for range mostHops {
		asked[path] = true
		page, err := a.ask(ctx, http.MethodGet, path, nil, nil)
		if err != nil || page.location == "" || page.location[0] != '/' || page.leadsToInstaller() {
			return page, err
		}
		if path = page.location; asked[path] {
			return page, page.refused("the shop redirects in a circle")
		}
	}
	return answer{}, provision.Errorf(provision.CodeUnavailable, "GET %s is the end of %d redirects: the shop does not come to an answer", shorten(path), mostHops)
}

// locationOf says where a redirect leads: within the shop as a path, else as scheme and host, and "" if it is none.
func (a asker) locationOf(response *http.Response) string {
	target, err := response.Location()
	switch {
	case response.StatusCode < 300 || response.StatusCode > 399 || err != nil:
		return ""
	case target.Host == a.origin.Host:
		return target.RequestURI()
	}
	return target.Scheme + "://" + target.Host
}

// refused makes an error of an answer: what was asked, what came back, and what that means.
func (a answer) refused(meaning string) error {
	came := fmt.Sprintf("%s answered %d", a.question, a.status)
	if a.location != "" {
		came += " to " + shorten(a.location)
	}
	return provision.Errorf(provision.CodeUnavailable, "%s: %s", came, meaning)
}

func (a answer) unanswered(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return provision.Wrap(provision.CodeUnavailable, err, "%s got no answer in time", a.question)
	}
	return provision.Wrap(provision.CodeUnavailable, err, "%s got no answer: %s", a.question, onTheWay(err))
}

// shorten keeps what a shop has sent from filling a message.
func shorten(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// leadsToInstaller reports a redirect to the page that installs WordPress.
func (a answer) leadsToInstaller() bool {
	return strings.Contains(a.location, "/wp-admin/install.php")
}
