package kube

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orchestrator/provision"
)

// An API server, or a proxy before it, that accepts connections and never answers.
func TestPortForwardGivesUpAHandshakeThatHangs(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	defer func() { l.Close(); <-accepted }()
	kubeconfig := `{apiVersion: v1, kind: Config, current-context: a, clusters: [{name: a, cluster: {server: "http://` + l.Addr().String() + `"}}],
  contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}]}`
	c, err := Connect(Config{Text: []byte(kubeconfig), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = c.portForward(t.Context(), "store", "shop-0", 80, 200*time.Millisecond)
	wantCode(t, err, provision.CodeUnavailable)
	if !strings.Contains(provision.Public(err), "pod shop-0") {
		t.Errorf("says %q", provision.Public(err))
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
