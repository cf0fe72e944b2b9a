package kube

import (
	"context"
	"testing"

	"orchestrator/provision"
)

func TestClientWriteWaitsForASlotOrTheContext(t *testing.T) {
	c := &Client{writes: newWriteSlots(1)}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := provision.Errorf(provision.CodeSuperseded, "newer")
	inside := func() error {
		cancel(cause)
		return c.Write(ctx, func() error { t.Error("it ran without a slot"); return nil })
	}
	wantCode(t, c.Write(t.Context(), inside), provision.CodeSuperseded)
	wantCode(t, c.Write(ctx, func() error { t.Error("it ran for a run that has ended"); return nil }), provision.CodeSuperseded)
	if err := c.Write(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("the slot was not given back: %v", err)
	}
}
