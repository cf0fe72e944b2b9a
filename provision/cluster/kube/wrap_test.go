package kube

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"
)

func TestWrapSeesEachRequestAndItsContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	defer server.Close()
	type key struct{}
	var paths []string
	client, err := New(Config{Log: slog.New(slog.DiscardHandler), Wrap: func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if req.Context().Value(key{}) == nil {
				t.Errorf("%s comes without its context", req.URL.Path)
			}
			paths = append(paths, req.URL.Path)
			return next.RoundTrip(req)
		})
	}}, &rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(context.WithValue(t.Context(), key{}, true)); err != nil || len(paths) != 1 || paths[0] != "/version" {
		t.Errorf("%q, %v", paths, err)
	}
}
