package callback

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestSendOutcomeOfEachStatus(t *testing.T) {
	for outcome, statuses := range map[Outcome][]int{
		Delivered:    {200, 201, 202, 204, 299},
		Retry:        {408, 425, 429, 500, 501, 502, 503, 504, 599},
		Unauthorized: {401, 403},
		Refused:      {300, 301, 302, 304, 307, 308, 400, 402, 404, 405, 409, 410, 413, 415, 422, 499},
	} {
		for _, status := range statuses {
			base, _ := backend(t, says(status, ""))
			if r := send(t, base, ready()); r.Outcome != outcome {
				t.Errorf("%d means %v, want %v", status, r.Outcome, outcome)
			} else if outcome != Delivered && !strings.HasPrefix(r.Reason, fmt.Sprint(status)) {
				t.Errorf("%d: the reason does not begin with it: %q", status, r.Reason)
			}
		}
	}
}

func TestSendFollowsNoRedirect(t *testing.T) {
	elsewhere, redirected := backend(t, says(200, ""))
	base, _ := backend(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
	})
	r := send(t, base, ready())
	if r.Outcome != Refused || !strings.HasPrefix(r.Reason, "307 Temporary Redirect to "+elsewhere+"/: ") && !strings.HasPrefix(r.Reason, "307 Temporary Redirect to "+elsewhere+": ") || !strings.Contains(r.Reason, "BACKEND_API_BASE") {
		t.Errorf("a redirect means %v: %s", r.Outcome, r.Reason)
	}
	if len(redirected) != 0 {
		t.Error("the password went where the backend pointed to")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "-9300000000": 0, "soon": 0, "1.5": 0,
		"900": maxRetryAfter, "901": maxRetryAfter, "86400": maxRetryAfter, "99999999": maxRetryAfter, "99999999999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat):                  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat):                 0,
		now.Add(48 * time.Hour).Format(http.TimeFormat):               maxRetryAfter,
		now.Add(time.Minute).Format("Monday, 02-Jan-06 15:04:05 GMT"): time.Minute,
		now.Add(time.Minute).Format(time.ANSIC):                       time.Minute,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("Retry-After: %q means %s, want %s", value, got, want)
		}
	}
}

func TestSendReportsRetryAfter(t *testing.T) {
	base, _ := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if r := send(t, base, ready()); r.Outcome != Retry || r.After != 2*time.Minute {
		t.Errorf("result %+v", r)
	}
}

func TestSendReasonHoldsNoSecret(t *testing.T) {
	m := ready()
	for name, text := range map[string]string{
		"echoed":             `{"status":"READY","password":"` + m.Password + `"} for ` + testToken,
		"cut in the middle":  strings.Repeat("x", keptOfAnswer-8) + m.Password,
		"token at the edge":  strings.Repeat("x", keptOfAnswer-8) + testToken,
		"hidden, then a cut": m.Password + strings.Repeat("x", keptOfAnswer-len(m.Password)-len(m.Password)+1) + m.Password,
	} {
		base, _ := backend(t, says(400, text))
		r := send(t, base, m)
		for _, secret := range []string{m.Password[:6], testToken[:6]} {
			if strings.Contains(r.Reason, secret) {
				t.Errorf("%s: the reason has (a part of) a secret: …%s", name, r.Reason[max(0, len(r.Reason)-60):])
			}
		}
	}
}

func TestSendReasonKeepsTheBeginningOfTheResponse(t *testing.T) {
	base, _ := backend(t, says(422, " "+strings.Repeat("é", 4096)))
	r := send(t, base, ready())
	if !strings.HasPrefix(r.Reason, "422 Unprocessable Entity éé") || len(r.Reason) > keptOfAnswer+64 {
		t.Errorf("%d bytes: %.60s", len(r.Reason), r.Reason)
	}
	if !utf8.ValidString(r.Reason) {
		t.Error("a character was cut in the middle")
	}
}

func TestSendDoesNotReadAnEndlessResponse(t *testing.T) {
	base, _ := backend(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	if r := send(t, base, ready()); r.Outcome != Delivered {
		t.Errorf("result %+v", r)
	}
}

// silent is a backend that takes the request and never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestSendTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestSender(t, "http://backend", "")
		s.client.Transport = silent{}
		start := time.Now()
		if r := s.Send(t.Context(), ready()); r.Outcome != Retry || !strings.HasPrefix(r.Reason, "no answer: ") {
			t.Errorf("result %+v", r)
		}
		if took := time.Since(start); took != Timeout {
			t.Errorf("given up after %s, want %s", took, Timeout)
		}
	})
}

// dripping is an answer whose body never ends and never comes.
type dripping struct{}

func (dripping) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(readerOf(func([]byte) (int, error) {
		<-r.Context().Done()
		return 0, r.Context().Err()
	}))}, nil
}

type readerOf func([]byte) (int, error)

func (f readerOf) Read(p []byte) (int, error) { return f(p) }

func TestSendKeepsTheStatusOfABodyThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestSender(t, "http://backend", "")
		s.client.Transport = dripping{}
		start := time.Now()
		if r := s.Send(t.Context(), ready()); r.Outcome != Delivered || time.Since(start) > Timeout {
			t.Errorf("result %+v after %s", r, time.Since(start))
		}
	})
}

func TestSendToARefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://user:secret@" + l.Addr().String()
	l.Close()
	r := send(t, base, ready())
	if r.Outcome != Retry || !strings.Contains(r.Reason, "refused") {
		t.Errorf("result %+v", r)
	}
	if strings.Contains(r.Reason, "secret") || strings.Contains(r.Reason, "/api/stores") {
		t.Errorf("the reason repeats the URL: %s", r.Reason)
	}
}

func TestSendCancelledIsRetried(t *testing.T) {
	base, _ := backend(t, says(200, ""))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if r := newTestSender(t, base, "").Send(ctx, ready()); r.Outcome != Retry {
		t.Errorf("result %+v", r)
	}
}
