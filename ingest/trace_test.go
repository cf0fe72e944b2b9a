package ingest

import (
	"fmt"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"orchestrator/provision"
)

const (
	callersTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	othersTrace  = "00-11111111111111111111111111111111-2222222222222222-01"
)

// traced is a rig whose spans are kept.
func traced(t *testing.T, f *fake) (*rig, *tracetest.InMemoryExporter) {
	t.Helper()
	r, spans := newRig(t, f), tracetest.NewInMemoryExporter()
	r.rebuild(t, func(c *Config) { c.Traces = sdk.NewTracerProvider(sdk.WithSyncer(spans)) })
	return r, spans
}

func TestARequestIsAPartOfItsCallersTrace(t *testing.T) {
	r, spans := traced(t, &fake{})
	r.send("POST", "/", store(nil), "traceparent", callersTrace, "X-Request-Id", "req-7")
	span := spans.GetSpans()[0]
	if span.Name != "POST /" || span.SpanKind != trace.SpanKindServer || len(spans.GetSpans()) != 1 {
		t.Errorf("%d spans: %s, kind %s", len(spans.GetSpans()), span.Name, span.SpanKind)
	}
	if got := span.SpanContext.TraceID().String() + " " + span.Parent.SpanID().String(); got != "0af7651916cd43dd8448eb211c80319c b7ad6b7169203331" {
		t.Errorf("trace and parent are %s", got)
	}
	if want := "00-0af7651916cd43dd8448eb211c80319c-" + span.SpanContext.SpanID().String() + "-01"; r.origin.Trace != want {
		t.Errorf("recorded is %q, want %q", r.origin.Trace, want)
	}
	for _, want := range []string{"orchestrator.store_id=s-1", "orchestrator.generation=1700000000123", "orchestrator.joined=false", "orchestrator.request_id=req-7",
		"http.response.status_code=202", "http.route=/"} {
		if !strings.Contains(attributes(span), want+"\n") {
			t.Errorf("%s is missing:\n%s", want, attributes(span))
		}
	}
}

func attributes(span tracetest.SpanStub) (text string) {
	for _, a := range span.Attributes {
		text += fmt.Sprintf("%s=%v\n", a.Key, a.Value.AsInterface())
	}
	return text
}

func TestARequestThatJoinsLinksToTheOther(t *testing.T) {
	r, spans := traced(t, &fake{next: provision.Accepted{Generation: 1, TaskID: "1.s-1", Joined: true, JoinedTrace: othersTrace}})
	r.send("POST", "/", store(nil))
	if links := spans.GetSpans()[0].Links; len(links) != 1 || links[0].SpanContext.SpanID().String() != "2222222222222222" {
		t.Errorf("links: %v", links)
	}
}

// TestASpanSaysNothingOfWhatWasSent: of a refused request it names the kind of the problem.
func TestASpanSaysNothingOfWhatWasSent(t *testing.T) {
	r, spans := traced(t, &fake{})
	r.send("POST", "/?x=S3CRET", store(map[string]any{"namespace": "kube-S3CRET", "engine": "S3CRET", "store_id": "S3CRET/../"}), "traceparent", callersTrace, "tracestate", "s=S3CRET", "baggage", "s=S3CRET")
	r.send("POST", "/", `{"S3CRET":1}`, "X-Orchestrator-Token", "S3CRET")
	for _, span := range spans.GetSpans() {
		if text := fmt.Sprintf("%s %+v", attributes(span), span); strings.Contains(text, "S3CRET") || !strings.Contains(text, "error.type=") {
			t.Error(text)
		}
	}
	if len(spans.GetSpans()) != 2 {
		t.Errorf("%d spans", len(spans.GetSpans()))
	}
}

func TestReadsAndUnknownRoutesHaveNoSpan(t *testing.T) {
	r, spans := traced(t, &fake{})
	for _, path := range []string{"/healthz", "/stores", "/metrics"} {
		r.send("GET", path, "")
	}
	r.send("POST", "/unknown", "")
	if n := len(spans.GetSpans()); n != 0 {
		t.Errorf("%d spans", n)
	}
}

func TestWithoutTracesNothingIsRecordedOfThem(t *testing.T) {
	r := newRig(t, &fake{})
	r.send("POST", "/", store(nil), "traceparent", callersTrace)
	if r.origin.Trace != "" {
		t.Errorf("recorded is %q", r.origin.Trace)
	}
}
