package provision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"orchestrator/provision"
)

func TestWhichCodesAreFinal(t *testing.T) {
	for code, final := range map[provision.Code]bool{
		provision.CodeInvalid: true, provision.CodeConflict: true, provision.CodeTimeout: true, provision.CodeImage: true, provision.CodeCrash: true,
		provision.CodeQuota: true, provision.CodeUnschedulable: true, provision.CodeVolume: true,
		provision.CodeBusy: false, provision.CodeSuperseded: false, provision.CodeUnavailable: false, provision.CodeInternal: false, "": false, "new": false,
	} {
		if code.Final() != final {
			t.Errorf("%q.Final() = %v", code, !final)
		}
	}
}

func TestCodeAndPublicTextOfAnError(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.1: refused")
	quota := provision.Wrap(provision.CodeQuota, cause, "the quota of %s is used up", "ns")
	const sentence = "an internal error occurred"
	for name, c := range map[string]struct {
		err    error
		code   provision.Code
		public string
	}{
		"with a code":           {quota, provision.CodeQuota, "the quota of ns is used up"},
		"wrapped":               {fmt.Errorf("step release: %w", quota), provision.CodeQuota, "the quota of ns is used up"},
		"joined":                {errors.Join(cause, quota), provision.CodeQuota, "the quota of ns is used up"},
		"the outermost counts":  {provision.Wrap(provision.CodeTimeout, quota, "too late"), provision.CodeTimeout, "too late"},
		"foreign":               {cause, provision.CodeInternal, sentence},
		"a context's":           {context.Canceled, provision.CodeInternal, sentence},
		"internal with message": {provision.Errorf(provision.CodeInternal, "secret detail"), provision.CodeInternal, sentence},
	} {
		if got := provision.CodeOf(c.err); got != c.code {
			t.Errorf("%s: code %s", name, got)
		}
		if got := provision.Public(c.err); !strings.HasPrefix(got, c.public) || strings.Contains(got, "10.0.0.1") || strings.Contains(got, "secret") {
			t.Errorf("%s: public text %q", name, got)
		}
	}
	if !errors.Is(quota, cause) || quota.Error() != "the quota of ns is used up: dial tcp 10.0.0.1: refused" {
		t.Errorf("for the log: %v", quota)
	}
	if text := provision.Errorf(provision.CodeBusy, "busy").Error(); text != "busy" {
		t.Errorf("without a cause: %q", text)
	}
}

type refusing struct{ err error }

func (f refusing) Check() error                  { return f.err }
func (f refusing) Confirm(context.Context) error { return f.err }

func TestFenceGoesWithTheContext(t *testing.T) {
	ctx := context.Background()
	if f := provision.FenceOf(ctx); f.Check() != nil || f.Confirm(ctx) != nil {
		t.Error("outside a run the fence refuses")
	}
	closed := errors.New("closed")
	inside, cancel := context.WithCancel(provision.WithFence(ctx, refusing{closed}))
	defer cancel()
	if f := provision.FenceOf(inside); f.Check() != closed || f.Confirm(inside) != closed {
		t.Error("the run's fence is not the one below it")
	}
}

func TestStatusesOfAnOperation(t *testing.T) {
	for op, want := range map[provision.Op][3]provision.Status{
		provision.OpProvision: {"PROVISIONING", "READY", "FAILED"},
		provision.OpDelete:    {"DELETING", "DELETED", "DELETE_FAILED"},
	} {
		if got := [3]provision.Status{op.Progress(), op.Success(), op.Failure()}; got != want {
			t.Errorf("%s: %v", op, got)
		}
		if op.Progress().Final() || !op.Success().Final() || !op.Failure().Final() || !op.Success().Succeeded() || op.Failure().Succeeded() {
			t.Errorf("%s: what is final is mixed up", op)
		}
	}
}

func TestDigestTellsWantedStatesApart(t *testing.T) {
	a, b := store(1).Request, store(2).Request
	if a.Digest() != b.Digest() {
		t.Error("equal requests differ")
	}
	if b.Cluster = "eu"; a.Digest() != b.Digest() {
		t.Error("a place makes two requests differ")
	}
	b.Settings.SampleProduct = true
	if a.Digest() == b.Digest() {
		t.Error("different requests are equal")
	}
	a.Action, b.Action, b.Host = provision.OpDelete, provision.OpDelete, "elsewhere.example"
	if a.Digest() != b.Digest() {
		t.Error("two deletes differ")
	}
}
