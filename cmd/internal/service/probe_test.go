package service

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProbe(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/well" {
			http.Error(w, "redis is away", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"well":        {[]string{"probe", server.URL + "/well"}, 0, ""},
		"ill":         {[]string{"probe", server.URL + "/ill"}, 1, "503 Service Unavailable: redis is away"},
		"no listener": {[]string{"probe", "http://127.0.0.1:1/"}, 1, "connection refused"},
		"no URL":      {[]string{"probe"}, 2, "one URL"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := result(t, "ends", nil, c.args...)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit %d, %q; want %d and %q", code, stderr, c.code, c.says)
			}
		})
	}
}
