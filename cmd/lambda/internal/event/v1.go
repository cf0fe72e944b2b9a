package event

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-lambda-go/events"
)

// ServeV1 serves an event of kind [HTTPv1] and returns the response to Lambda.
func (g Gateway) ServeV1(ctx context.Context, payload []byte) ([]byte, error) {
	var e events.APIGatewayProxyRequest
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("the event resembles one of a REST API but cannot be parsed: %w", err)
	}
	query := url.Values{}
	for name, value := range e.QueryStringParameters { // decoded, with only the last value of each name
		query.Set(name, value)
	}
	for name, values := range e.MultiValueQueryStringParameters {
		query[name] = values
	}
	header := http.Header{}
	for name, value := range e.Headers {
		header.Set(name, value)
	}
	for name, values := range e.MultiValueHeaders {
		header[http.CanonicalHeaderKey(name)] = values
	}
	req, err := g.request(ctx, gatewayRequest{
		method: e.HTTPMethod, path: e.Path, rawQuery: query.Encode(), stage: e.RequestContext.Stage,
		host: e.RequestContext.DomainName, sourceIP: e.RequestContext.Identity.SourceIP, protocol: e.RequestContext.Protocol,
		header: header, body: e.Body, base64: e.IsBase64Encoded,
	})
	if err != nil {
		return nil, err
	}
	a := g.serve(req)
	answered := events.APIGatewayProxyResponse{StatusCode: a.status, MultiValueHeaders: a.sent}
	answered.Body, answered.IsBase64Encoded = a.content()
	return json.Marshal(answered)
}
