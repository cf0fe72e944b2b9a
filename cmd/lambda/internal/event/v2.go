package event

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// ServeV2 serves an event of kind [HTTPv2] and returns the response to Lambda.
func (g Gateway) ServeV2(ctx context.Context, payload []byte) ([]byte, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("the event resembles one of an HTTP API or a function URL but cannot be parsed: %w", err)
	}
	header := http.Header{}
	for name, value := range e.Headers { // several values are joined by commas
		header.Set(name, value)
	}
	if len(e.Cookies) > 0 {
		header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	incoming := e.RequestContext.HTTP
	req, err := g.request(ctx, gatewayRequest{
		method: incoming.Method, path: e.RawPath, rawQuery: e.RawQueryString, stage: e.RequestContext.Stage,
		host: e.RequestContext.DomainName, sourceIP: incoming.SourceIP, protocol: incoming.Protocol,
		header: header, body: e.Body, base64: e.IsBase64Encoded,
	})
	if err != nil {
		return nil, err
	}
	a := g.serve(req)
	answered := events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: map[string]string{}, Cookies: a.sent["Set-Cookie"]}
	for name, values := range a.sent {
		if name != "Set-Cookie" {
			answered.Headers[name] = strings.Join(values, ", ")
		}
	}
	answered.Body, answered.IsBase64Encoded = a.content()
	return json.Marshal(answered)
}
