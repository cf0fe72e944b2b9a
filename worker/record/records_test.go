package record

import (
	"strings"
	"testing"

	"orchestrator/cmd/testkit/redistest"
)

// A user without channels could accept, and each request ended in an error after it was recorded.
func TestCheckAccessNamesWhatTheUserLacks(t *testing.T) {
	server := redistest.Durable(t)
	b := newBench(t, server.URL)
	if err := CheckAccess(b.ctx, b.redis); err != nil {
		t.Errorf("with all rights: %v", err)
	}
	b.redis.Do(b.ctx, "ACL", "SETUSER", "default", "resetchannels", "resetkeys", "~{orch}:*")
	err := CheckAccess(b.ctx, b.redis)
	for _, rule := range []string{"&{orch}:newest", "&asynq:cancel", "~asynq:*"} {
		if err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s is not named: %v", rule, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "~{orch}") {
		t.Errorf("what it has is named: %v", err)
	}
	if task := b.accept(request("a")); b.state("a").Generation != task.Generation {
		t.Error("the request was not recorded")
	}
	server.Kill()
	if err := CheckAccess(b.ctx, b.redis); err != nil {
		t.Errorf("without Redis: %v", err)
	}
}
