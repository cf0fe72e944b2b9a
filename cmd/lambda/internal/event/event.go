// Package event recognizes the events of AWS Lambda, and converts HTTP events to requests of a handler and its responses back.
package event

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is the kind of an event, as far as this service handles it.
type Kind int

// HTTPv1 is a REST API, or an HTTP API with payload format 1.0. HTTPv2 is an HTTP API with payload format 2.0, or a
// function URL.
const (
	Unknown Kind = iota
	HTTPv1
	HTTPv2
	Drain
)

// Unhandled is the error of an event that this service does not handle.
type Unhandled struct{ What string }

func (e *Unhandled) Error() string {
	return "this function handles requests of function URLs, HTTP APIs and REST APIs, and drains the queues on a scheduled event or on {\"drain\":true}; " + e.What
}

// signature has the fields by which events are recognized.
type signature struct {
	Version        string `json:"version"`
	HTTPMethod     string `json:"httpMethod"`
	RequestContext struct {
		HTTP         *struct{}       `json:"http"`
		ELB          json.RawMessage `json:"elb"`
		ConnectionID string          `json:"connectionId"`
	} `json:"requestContext"`
	Drain      *bool  `json:"drain"`
	Source     string `json:"source"`
	DetailType string `json:"detail-type"`
	Records    []struct {
		Source    string `json:"eventSource"`
		SourceSNS string `json:"EventSource"`
	} `json:"Records"`
}

// KindOf recognizes an event. The error is an [Unhandled] that says what was received, without any of its content.
func KindOf(payload []byte) (Kind, error) {
	var fields map[string]json.RawMessage
	var m signature
	if err := json.Unmarshal(payload, &fields); err != nil || fields == nil {
		return Unknown, &Unhandled{"this event is not a JSON object"}
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return Unknown, &Unhandled{"this event has fields of unexpected types: " + err.Error()}
	}
	switch {
	case m.Drain != nil && *m.Drain, m.scheduled():
		return Drain, nil
	case m.RequestContext.ELB != nil, m.RequestContext.ConnectionID != "":
		return Unknown, &Unhandled{"this is an event of " + m.origin(fields)}
	case m.RequestContext.HTTP != nil:
		return HTTPv2, nil
	case m.HTTPMethod != "":
		return HTTPv1, nil
	}
	return Unknown, &Unhandled{"this is an event of " + m.origin(fields)}
}

// scheduled matches the default event of an EventBridge rule or schedule.
func (m signature) scheduled() bool {
	return (m.Source == "aws.events" || m.Source == "aws.scheduler") && m.DetailType == "Scheduled Event"
}

// origin describes where an event comes from.
func (m signature) origin(fields map[string]json.RawMessage) string {
	switch {
	case m.RequestContext.ELB != nil:
		return "an Application Load Balancer"
	case m.RequestContext.ConnectionID != "":
		return "a WebSocket API"
	case len(m.Records) > 0:
		return fmt.Sprintf("%q", cmp.Or(m.Records[0].Source, m.Records[0].SourceSNS, "unknown records"))
	case m.Source != "":
		return fmt.Sprintf("%q, %q", m.Source, m.DetailType)
	case m.Drain != nil:
		return "a drain with the value false"
	case len(fields) == 0:
		return "no kind: it is empty"
	}
	names := slices.Sorted(maps.Keys(fields))
	return fmt.Sprintf("an unknown kind, with the fields %s", strings.Join(names[:min(len(names), 8)], ", "))
}
