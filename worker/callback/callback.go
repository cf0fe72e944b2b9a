// Package callback sends one outcome to the backend: it builds the request, signs it, posts it and classifies the
// answer. It keeps nothing and tries once.
package callback

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"orchestrator/provision"
)

// Timeout is the limit of one POST, answer included.
const Timeout = 15 * time.Second

// keptOfAnswer is how much of a refusal is kept for people to read.
const keptOfAnswer = 1024

// Message is one callback.
type Message struct {
	ID         string // webhook-id: the same over all deliveries
	StoreID    string
	Generation int64
	Sequence   int64
	Status     provision.Status
	URL        string // of READY
	Error      string // of FAILED and DELETE_FAILED
	Password   string // of READY
}

// body is exactly what the contract says.
type body struct {
	Status   provision.Status `json:"status"`
	URL      string           `json:"url,omitempty"`
	Error    string           `json:"error,omitempty"`
	Password string           `json:"password,omitempty"`
}

// Outcome is what the backend's answer means.
type Outcome int

// The outcomes, by the answer's status.
const (
	Delivered    Outcome = iota // 2xx
	Retry                       // no answer, 408, 425, 429 or 5xx: worth another try
	Unauthorized                // 401 or 403: worth another try once the token is corrected
	Refused                     // any other, a redirect too: trying again would end the same way
)

// String is the outcome in one word.
func (o Outcome) String() string {
	return [...]string{Delivered: "delivered", Retry: "retry", Unauthorized: "unauthorized", Refused: "refused"}[o]
}

// Result is the outcome of one POST. Reason is for people: a status and the beginning of the answer, or why there was
// none. After is what the backend asked for by Retry-After, or 0. Unknown is set for an answer of 404 or 410: the backend
// does not know the store, or any more. HTTPStatus is 0 where there was no answer; Answer is the beginning of its body, 256 bytes at most,
// without what was sent in secret.
type Result struct {
	Outcome    Outcome
	Reason     string
	After      time.Duration
	Unknown    bool
	HTTPStatus int
	Answer     string
}

// Sender posts to one backend. It is safe for concurrent use.
type Sender struct {
	base   string
	token  string
	signer *signer
	client *http.Client
	now    func() time.Time
}

// NewSender returns a sender to a base URL, with or without /api at its end. secrets are Standard Webhooks secrets (whsec_ and
// base64), separated by commas, or "" for no signature.
func NewSender(base, token, secrets string, files TLSFiles) (*Sender, error) {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("BACKEND_API_BASE must be an http or https URL without query")
	}
	s, err := newSigner(secrets)
	if err != nil {
		return nil, err
	}
	secure, err := files.config()
	if err != nil {
		return nil, err
	}
	return &Sender{base: withoutAPI(u), token: token, signer: s, client: newClient(secure), now: time.Now}, nil
}

// Through has each request pass wrap on its way to the backend, and returns the sender. It is called before the first one.
func (s *Sender) Through(wrap func(http.RoundTripper) http.RoundTripper) *Sender {
	if wrap != nil {
		s.client.Transport = wrap(s.client.Transport)
	}
	return s
}

// withoutAPI is the URL up to the /api that every path of the contract begins with. Only the path counts: a host may be
// called "api" too.
func withoutAPI(u *url.URL) string {
	path := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/api")
	origin := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}
	return origin.String() + strings.TrimRight(path, "/")
}

// newClient follows no redirect: an outcome goes to the backend that was configured and to no other server.
func newClient(secure *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.TLSClientConfig = secure
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Send posts the message once.
func (s *Sender) Send(ctx context.Context, m Message) Result {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := s.request(ctx, m)
	if err != nil {
		return Result{Outcome: Refused, Reason: "the request could not be built: " + err.Error()}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		// The text may quote what the server has sent, which may be what it was sent.
		return Result{Outcome: Retry, Reason: "no answer: " + beginning(hide(withoutURL(err), false, s.secrets(req, m)))}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, keptOfAnswer)) // the status alone decides
	secrets := s.secrets(req, m)
	said := hide(string(text), err != nil || len(text) == keptOfAnswer, secrets)
	result := s.classify(resp, said, secrets)
	result.HTTPStatus, result.Answer = resp.StatusCode, beginning(said)
	return result
}

// secrets are the values that a callback carries and that are nowhere kept.
func (s *Sender) secrets(req *http.Request, m Message) []string {
	secrets := []string{m.Password, s.token}
	if password, ok := req.URL.User.Password(); ok {
		secrets = append(secrets, password, base64.StdEncoding.EncodeToString([]byte(req.URL.User.Username()+":"+password)))
	}
	for signature := range strings.FieldsSeq(req.Header.Get("webhook-signature")) {
		_, mac, _ := strings.Cut(signature, ",")
		secrets = append(secrets, mac)
	}
	return secrets
}

func (s *Sender) request(ctx context.Context, m Message) (*http.Request, error) {
	text, err := json.Marshal(body{m.Status, m.URL, m.Error, m.Password})
	if err != nil {
		return nil, err
	}
	target := s.base + "/api/stores/" + url.PathEscape(m.StoreID) + "/status"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(s.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Orchestrator-Token", s.token)
	req.Header.Set("X-Orchestrator-Generation", strconv.FormatInt(m.Generation, 10))
	req.Header.Set("X-Orchestrator-Sequence", strconv.FormatInt(m.Sequence, 10))
	req.Header.Set("webhook-id", m.ID)
	req.Header.Set("webhook-timestamp", stamp)
	if signature := s.signer.sign(m.ID, stamp, text); signature != "" {
		req.Header.Set("webhook-signature", signature)
	}
	return req, nil
}

func (s *Sender) classify(resp *http.Response, said string, secrets []string) Result {
	r := Result{Outcome: Refused, Reason: reason(resp.StatusCode, said)}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return Result{Outcome: Delivered}
	case code < 400:
		r.Reason = redirection(resp, secrets)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		r.Outcome = Unauthorized
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		r.Outcome = Retry
	}
	r.Unknown = resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone
	r.After = retryAfter(resp.Header.Get("Retry-After"), s.now())
	return r
}

// redirection says where a redirect leads to, and what to do about it.
func redirection(resp *http.Response, secrets []string) string {
	target := "no address"
	if location, err := resp.Location(); err == nil {
		target = location.Redacted()
	}
	said := fmt.Sprintf("to %.300s: redirects are not followed; set BACKEND_API_BASE to the address that answers", target)
	return reason(resp.StatusCode, hide(said, true, secrets))
}

// reason is an answer in a line.
func reason(status int, said string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", status, http.StatusText(status), said))
}

// maxRetryAfter keeps a backend that asks for a day from holding the outcome, and all later ones of its store, for as long.
const maxRetryAfter = 15 * time.Minute

// retryAfter reads seconds or a date (RFC 9110, 10.2.3), at most [maxRetryAfter].
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.Atoi(value); err == nil {
		d = time.Duration(max(0, min(n, int(maxRetryAfter/time.Second)))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, maxRetryAfter))
}

// withoutURL is the reason of a transport error. The URL in front of it is known and may be long.
func withoutURL(err error) string {
	if e, ok := err.(*url.Error); ok {
		return e.Err.Error()
	}
	return err.Error()
}
