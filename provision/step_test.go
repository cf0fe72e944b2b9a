package provision

import (
	"context"
	"testing"
)

// stepAllocations is what one step costs where nothing is around it: its entry.
const stepAllocations = 1

func TestAStepWithoutAnythingAroundItCostsNoMore(t *testing.T) {
	j, ctx, s := journal{write: func(Step) {}}, context.Background(), Store{Generation: 1}
	got := testing.AllocsPerRun(1000, func() {
		_ = j.step(ctx, OpProvision, s, StepReady, func(context.Context) error { return nil })
	})
	if got > stepAllocations {
		t.Errorf("a step allocates %v times, want %d at most", got, stepAllocations)
	}
}

func BenchmarkStep(b *testing.B) {
	j, ctx, s := journal{write: func(Step) {}}, context.Background(), Store{Generation: 1}
	b.ReportAllocs()
	for b.Loop() {
		_ = j.step(ctx, OpProvision, s, StepReady, func(context.Context) error { return nil })
	}
}
