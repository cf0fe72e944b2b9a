package callback

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"orchestrator/provision"
)

const (
	testToken  = "token-of-the-test"
	testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the published example
)

// got is a request as the backend saw it.
type got struct {
	method, path string
	header       http.Header
	body         string
}

// backend answers every request by answer and keeps what it got.
func backend(t *testing.T, answer http.HandlerFunc) (base string, requests chan got) {
	t.Helper()
	requests = make(chan got, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		requests <- got{r.Method, r.URL.EscapedPath(), r.Header, string(text)}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

// says answers with a status and a text.
func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // the test sees what arrived
	}
}

func newTestSender(t *testing.T, base, secret string) *Sender {
	t.Helper()
	s, err := NewSender(base, testToken, secret, TLSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return time.Unix(1_614_265_330, 0) }
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func ready() Message {
	return Message{ID: "7.2.shop-1", StoreID: "shop-1", Generation: 7, Sequence: 2, Status: provision.StatusReady,
		URL: "https://shop.example", Password: "pass-of-the-owner"}
}

func send(t *testing.T, base string, m Message) Result {
	t.Helper()
	return newTestSender(t, base, "").Send(context.Background(), m)
}
