package event

import (
	"errors"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	for payload, want := range map[string]Kind{
		`{"drain":true}`: Drain,
		`{"version":"0","source":"aws.events","detail-type":"Scheduled Event","detail":{}}`:        Drain,
		`{"version":"0","source":"aws.scheduler","detail-type":"Scheduled Event","detail":"{}"}`:   Drain,
		`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}`:               HTTPv2,
		`{"httpMethod":"GET","path":"/","requestContext":{"stage":"prod"}}`:                        HTTPv1,
		`{"version":"1.0","httpMethod":"GET","path":"/","requestContext":{"stage":"prod"}}`:        HTTPv1,
		`{"httpMethod":"POST","body":"{\"drain\":true}","path":"/","requestContext":{"stage":""}}`: HTTPv1,
	} {
		if got, err := KindOf([]byte(payload)); got != want || err != nil {
			t.Errorf("%s is %d, %v; want %d", payload, got, err, want)
		}
	}
}

func TestKindOfDescribesUnhandledEvents(t *testing.T) {
	for payload, want := range map[string]string{
		``:                "not a JSON object",
		`nonsense`:        "not a JSON object",
		`null`:            "not a JSON object",
		`[1]`:             "not a JSON object",
		`{}`:              "it is empty",
		`{"drain":1}`:     "unexpected types",
		`{"drain":false}`: "with the value false",
		`{"Records":[{"eventSource":"aws:sqs","body":"secretpass"}]}`: `"aws:sqs"`,
		`{"Records":[{"EventSource":"aws:sns","Sns":{}}]}`:            `"aws:sns"`,
		`{"Records":[{}]}`: "unknown records",
		`{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification"}`:              `"aws.ec2", "EC2 Instance`,
		`{"httpMethod":"GET","path":"/","requestContext":{"elb":{"targetGroupArn":"secretpass"}}}`: "Application Load Balancer",
		`{"requestContext":{"connectionId":"x","eventType":"CONNECT"},"headers":{}}`:               "WebSocket",
		`{"zeta":"secretpass","alpha":1}`:                                                          "the fields alpha, zeta",
	} {
		kind, err := KindOf([]byte(payload))
		var unhandled *Unhandled
		if kind != Unknown || !errors.As(err, &unhandled) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secretpass") {
			t.Errorf("%s is %d: %v", payload, kind, err)
		}
	}
}
