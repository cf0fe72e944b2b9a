package callback

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestThroughSeesEachCallback(t *testing.T) {
	var header string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { header = r.Header.Get("traceparent") }))
	defer server.Close()
	s, err := NewSender(server.URL, "token", "", TLSFiles{})
	if err != nil {
		t.Fatal(err)
	}
	s.Through(nil).Through(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			req = req.Clone(req.Context())
			req.Header.Set("traceparent", "x")
			return next.RoundTrip(req)
		})
	})
	if got := s.Send(t.Context(), Message{StoreID: "a"}); got.Outcome != Delivered || header != "x" {
		t.Errorf("%+v, traceparent %q", got, header)
	}
}
