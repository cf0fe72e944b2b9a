package kube

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

// From V(8) on client-go logs the bodies of requests and answers, and Secrets are among them. klog's V(n) is slog's
// level -n.
func TestDebugHandlerDropsBodiesOfClientGo(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(debugHandler{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})})
	log.Log(context.Background(), -3, "a cache was filled")
	log.Log(context.Background(), -8, "Request Body", "body", "secret")
	if text := out.String(); !strings.Contains(text, "a cache was filled") || strings.Contains(text, "secret") {
		t.Errorf("logged: %s", text)
	}
}
