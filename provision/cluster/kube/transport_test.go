package kube

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"orchestrator/provision"
)

func TestConnectReadsOrRefusesAKubeconfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", `{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: "https://10.0.0.1:6443/prefix"}}],
  contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {token: hidden}}]}`)
	c, err := Connect(Config{Kubeconfig: good, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if c.conn.host != "https://10.0.0.1:6443/prefix" {
		t.Errorf("the API server is at %s", c.conn.host)
	}
	for _, path := range []string{write("empty", ""), write("broken", "{"), filepath.Join(dir, "absent")} {
		if _, err := Connect(Config{Kubeconfig: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// A release call survives one request that gets no answer.
func TestRequestTimeoutLeavesAReleaseTimeForAnotherRequest(t *testing.T) {
	if 2*requestTimeout > provision.ReleaseTimeout {
		t.Errorf("a request may take %s, a release %s", requestTimeout, provision.ReleaseTimeout)
	}
}

func TestGuardBoundsRequestsButWatches(t *testing.T) {
	asked := make(chan context.Context, 2)
	g := guard{roundTrip(func(req *http.Request) (*http.Response, error) {
		asked <- req.Context()
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})}
	client, err := rest.HTTPClientFor(&rest.Config{Host: "http://x", Transport: g})
	if err != nil {
		t.Fatal(err)
	}
	for query, bounded := range map[string]bool{"": true, "?watch=true": false} {
		res, err := client.Get("http://x/api/v1/pods" + query)
		if err != nil {
			t.Fatal(err)
		}
		ctx := <-asked
		if _, has := ctx.Deadline(); has != bounded {
			t.Errorf("%q: deadline %t, want %t", query, has, bounded)
		}
		_ = res.Body.Close()
		if bounded && ctx.Err() == nil {
			t.Error("the request's timer outlives its body")
		}
	}
}
