package provision_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/provision"
)

type stepKey struct{}

// TestAroundSurroundsEveryStep: what it adds to the context reaches the step, and its end comes before the next one begins.
func TestAroundSurroundsEveryStep(t *testing.T) {
	c := &cluster{}
	runner := c.runner()
	runner.Releases = releaseIn{runner.Releases, func(ctx context.Context) {
		if name, _ := ctx.Value(stepKey{}).(string); name != provision.StepRelease {
			t.Errorf("the release is applied in the context of step %q", name)
		}
	}}
	var calls []string
	runner.Around = func(ctx context.Context, begun provision.Step) (context.Context, func(provision.Step)) {
		calls = append(calls, begun.Name+" "+string(begun.State))
		return context.WithValue(ctx, stepKey{}, begun.Name), func(ended provision.Step) {
			calls = append(calls, ended.Name+" "+string(ended.State))
		}
	}
	var j journal
	if err := runner.Run(t.Context(), provision.OpProvision, store(1), func(s provision.Step) { j = append(j, s) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(j.entries(), calls); diff != "" {
		t.Errorf("calls (-journal +got):\n%s", diff)
	}
}

// releaseIn sees the context of each application.
type releaseIn struct {
	provision.Releases
	see func(context.Context)
}

func (r releaseIn) Apply(ctx context.Context, s provision.Store, release provision.Release) (provision.Applied, error) {
	r.see(ctx)
	return r.Releases.Apply(ctx, s, release)
}
