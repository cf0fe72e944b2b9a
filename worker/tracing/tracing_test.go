package tracing

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/provision"
)

const request = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func recorder() (*Tracer, *tracetest.InMemoryExporter) {
	spans := tracetest.NewInMemoryExporter()
	return New(sdk.NewTracerProvider(sdk.WithSyncer(spans))), spans
}

func TestTheFirstRunGoesOnWithTheTraceOfItsRequestAndLaterOnesLinkToIt(t *testing.T) {
	tracer, spans := recorder()
	want := parse(request)
	for _, first := range []bool{true, false} {
		spans.Reset()
		tracer.Run(time.Now(), Work{StoreID: "s", Trace: request, First: first}, provision.OpProvision, "medusa", 1).End("READY", nil)
		run := spans.GetSpans()[1]
		if run.Name != "process provision" || run.SpanKind != trace.SpanKindConsumer {
			t.Errorf("span %s, kind %s", run.Name, run.SpanKind)
		}
		if same := run.SpanContext.TraceID() == want.TraceID(); same != first || (run.Parent.SpanID() == want.SpanID()) != first {
			t.Errorf("first %t: in the trace of the request: %t, parent %s", first, same, run.Parent.SpanID())
		}
		if linked := len(run.Links) == 1 && run.Links[0].SpanContext.SpanID() == want.SpanID(); linked == first {
			t.Errorf("first %t: links %v", first, run.Links)
		}
		if lease := spans.GetSpans()[0]; lease.Name != "lease acquire" || lease.Parent.SpanID() != run.SpanContext.SpanID() {
			t.Errorf("span %s below %s", lease.Name, lease.Parent.SpanID())
		}
	}
}

func TestARunOfARequestWithoutATraceHasOneOfItsOwn(t *testing.T) {
	tracer, spans := recorder()
	for _, broken := range []string{"", "x", request + "x"} {
		spans.Reset()
		tracer.Run(time.Now(), Work{Trace: broken, First: true}, provision.OpDelete, "", 1).End("", nil)
		if run := spans.GetSpans()[1]; run.Parent.IsValid() || len(run.Links) != 0 || !run.SpanContext.IsValid() {
			t.Errorf("%q: parent %v, links %v", broken, run.Parent, run.Links)
		}
	}
}

func TestStepsEndWithWhatTheBackendIsTold(t *testing.T) {
	tracer, spans := recorder()
	ctx, delivery := tracer.Delivery(t.Context(), Work{}, provision.StatusReady, "1.2.s")
	begun := provision.Step{Name: "ready", At: time.Unix(1, 0)}
	_, end := Around(ctx, begun)
	end(provision.Step{Name: "ready", At: time.Unix(3, 0), State: provision.StepFailed, Code: provision.CodeImage, Error: "no image", Cause: errors.New("10.0.0.1")})
	delivery.End("", provision.Wrap(provision.CodeUnavailable, errors.New("10.0.0.1"), "away"))
	var got []string
	for _, s := range spans.GetSpans() {
		got = append(got, s.Name+": "+s.Status.Description)
		if s.Status.Code != codes.Error {
			t.Errorf("%s has status %v", s.Name, s.Status)
		}
	}
	if diff := cmp.Diff([]string{"step ready: no image", "process callback: away"}, got); diff != "" {
		t.Error(diff)
	}
	if step := spans.GetSpans()[0]; step.EndTime.Sub(step.StartTime) != 2*time.Second {
		t.Errorf("the step takes %s", step.EndTime.Sub(step.StartTime))
	}
}

// TestTracingThatIsOffCostsNothing: neither a run, nor a step, nor what belongs to it allocates anything.
func TestTracingThatIsOffCostsNothing(t *testing.T) {
	var off *Tracer
	log, ctx := slog.New(slog.NewTextHandler(io.Discard, nil)), context.Background()
	if New(nil) != off {
		t.Error("a tracer without a provider is on")
	}
	step := provision.Step{Name: "ready"}
	got := testing.AllocsPerRun(100, func() {
		span := off.Run(time.Time{}, Work{StoreID: "s"}, provision.OpProvision, "medusa", 1)
		ctx := span.Context(ctx)
		ctx, end := Around(ctx, step)
		_, recorded := Record(ctx, "outcome")
		recorded(nil)
		Outcome(ctx, "x")
		end(step)
		_ = span.Log(log)
		span.End("READY", nil)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
