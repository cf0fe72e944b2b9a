package workerapp

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	values "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a test double of what takes spans by OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	text  strings.Builder // all that has come, as it came
	spans []*traces.Span
	from  map[string]bool // service.name of each
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{from: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var batch collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &batch)
		}
		if err != nil || req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s, %s: %v", req.Method, req.URL.Path, req.Header.Get("Content-Type"), err)
			http.Error(w, "no batch of spans", http.StatusBadRequest)
			return
		}
		r.add(string(body), &batch)
		answer, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) add(text string, batch *collector.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.WriteString(text)
	for _, from := range batch.ResourceSpans {
		r.from[attribute(from.Resource.Attributes, "service.name")] = true
		for _, scope := range from.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
}

func attribute(all []*values.KeyValue, key string) string {
	for _, one := range all {
		if one.Key == key {
			return one.Value.GetStringValue()
		}
	}
	return ""
}

// drawn are the received spans, as those of a provider.
func (r *receiver) drawn() (all []drawn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		one := drawn{trace: string(s.TraceId), id: string(s.SpanId), parent: string(s.ParentSpanId), name: s.Name, start: int64(s.StartTimeUnixNano),
			kind: strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_")), outcome: attribute(s.Attributes, "orchestrator.outcome")}
		if s.Status.GetCode() == traces.Status_STATUS_CODE_ERROR {
			one.failed = s.Status.Message
		}
		for _, l := range s.Links {
			one.links = append(one.links, string(l.SpanId))
		}
		all = append(all, one)
	}
	return all
}

// drawn is what a test looks at of a span.
type drawn struct {
	trace, id, parent, name, kind, outcome, failed string
	links                                          []string
	start                                          int64
}

// tree is the text of all traces: a line for each span, below its parent, in the order in which they began.
func tree(all []drawn) string {
	slices.SortStableFunc(all, func(a, b drawn) int { return int(a.start - b.start) })
	names, text := map[string]string{}, &strings.Builder{}
	for _, s := range all {
		names[s.id] = s.name
	}
	var below func(trace, parent string, depth int)
	below = func(trace, parent string, depth int) {
		for _, s := range all {
			if s.trace == trace && s.parent == parent {
				fmt.Fprintf(text, "%s%s", strings.Repeat("  ", depth), s.line(names))
				below(trace, s.id, depth+1)
			}
		}
	}
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s.trace] {
			seen[s.trace] = true
			roots := map[string]bool{}
			for _, root := range all { // of the caller's trace the parent is not here
				if root.trace == s.trace && names[root.parent] == "" && !roots[root.parent] {
					roots[root.parent] = true
					below(s.trace, root.parent, 0)
				}
			}
		}
	}
	return text.String()
}

func (s drawn) line(names map[string]string) string {
	line := s.name
	if s.kind != "internal" {
		line += " (" + s.kind + ")"
	}
	if s.outcome != "" {
		line += " " + s.outcome
	}
	if s.failed != "" {
		line += " [" + s.failed + "]"
	}
	for _, l := range s.links {
		line += " → " + names[l]
	}
	return line + "\n"
}
