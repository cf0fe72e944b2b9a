package event

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// seen is a request as the handler has seen it.
type seen struct {
	Method, URI, Path, Host, Remote, Body string
	Header                                http.Header
}

// look stores the request and responds by answer.
func look(s *seen, answer func(http.ResponseWriter)) Gateway {
	return Gateway{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength != int64(len(body)) {
			panic(fmt.Sprint(err, r.ContentLength))
		}
		*s = seen{r.Method, r.RequestURI, r.URL.Path, r.Host, r.RemoteAddr, string(body), r.Header}
		answer(w)
	})}
}

func nothing(http.ResponseWriter) {}

func check(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

const v1 = `{"resource":"/{proxy+}","path":"/stores/a%20b","httpMethod":"POST",
 "headers":{"Host":"api.test","Accept":"b"},"multiValueHeaders":{"Accept":["a","b"],"x-one":["1"]},
 "queryStringParameters":{"limit":"2","q":"z"},"multiValueQueryStringParameters":{"limit":["1","2"],"q":["a&b=ü"]},
 "requestContext":{"stage":"prod","domainName":"x.test","path":"/prod/stores/a","protocol":"HTTP/1.1","identity":{"sourceIp":"2001:db8::1"}},
 "body":"eyJhIjoi/yJ9","isBase64Encoded":true}`

func TestServeV1PassesTheRequestOn(t *testing.T) {
	var s seen
	if _, err := look(&s, nothing).ServeV1(t.Context(), []byte(v1)); err != nil {
		t.Fatal(err)
	}
	check(t, s, seen{"POST", "/stores/a%20b?limit=1&limit=2&q=a%26b%3D%C3%BC", "/stores/a b", "api.test", "[2001:db8::1]:0", "{\"a\":\"\xff\"}",
		http.Header{"Accept": {"a", "b"}, "X-One": {"1"}}})
}

const v2 = `{"version":"2.0","rawPath":"%s","rawQueryString":"limit=1&limit=2&q=a%%26b","cookies":["a=1","b=2"],
 "headers":{"x-orchestrator-token":"t","accept":"a,b"},
 "requestContext":{"stage":"%s","domainName":"x.lambda-url.test","http":{"method":"DELETE","path":"/","protocol":"HTTP/1.1","sourceIp":"192.0.2.7"}}}`

func TestServeV2PassesTheRequestOn(t *testing.T) {
	var s seen
	if _, err := look(&s, nothing).ServeV2(t.Context(), fmt.Appendf(nil, v2, "/stores/a", "$default")); err != nil {
		t.Fatal(err)
	}
	check(t, s, seen{"DELETE", "/stores/a?limit=1&limit=2&q=a%26b", "/stores/a", "x.lambda-url.test", "192.0.2.7:0", "",
		http.Header{"X-Orchestrator-Token": {"t"}, "Accept": {"a,b"}, "Cookie": {"a=1; b=2"}}})
}

func TestGatewayRemovesStageAndBasePath(t *testing.T) {
	for _, c := range []struct{ path, stage, base, want string }{
		{"/prod/stores/a", "prod", "", "/stores/a"},
		{"/prod", "prod", "", "/"},
		{"/prod/", "prod", "", "/"},
		{"/production/a", "prod", "", "/production/a"},
		{"/stores/prod", "prod", "", "/stores/prod"},
		{"/orchestrator/stores/a", "prod", "/orchestrator/", "/stores/a"},
		{"/prod/a", "prod", "/orchestrator", "/a"},
		{"/$default/a", "$default", "", "/$default/a"},
		{"", "", "", "/"},
		{"/a%zz", "", "", "/a%zz"},
		{"//evil.test/a", "", "", "//evil.test/a"},
	} {
		var s seen
		g := look(&s, nothing)
		g.BasePath = c.base
		event := fmt.Sprintf(`{"rawPath":%q,"requestContext":{"stage":%q,"http":{"method":"GET","sourceIp":"192.0.2.7"}}}`, c.path, c.stage)
		if _, err := g.ServeV2(t.Context(), []byte(event)); err != nil || s.Path != c.want || s.Host != "" {
			t.Errorf("%+v leads to %q of %q, %v", c, s.Path, s.Host, err)
		}
	}
}

func tea(w http.ResponseWriter) {
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	w.Header().Add("Vary", "x")
	w.Header().Add("Vary", "y")
	w.WriteHeader(http.StatusTeapot)
	w.Header().Set("Late", "too late")
	fmt.Fprint(w, "grün")
}

func TestGatewayResponds(t *testing.T) {
	var s seen
	text, err := look(&s, tea).ServeV1(t.Context(), []byte(v1))
	var one events.APIGatewayProxyResponse
	if err != nil || json.Unmarshal(text, &one) != nil {
		t.Fatal(string(text), err)
	}
	check(t, one, events.APIGatewayProxyResponse{StatusCode: 418, Body: "grün",
		MultiValueHeaders: map[string][]string{"Set-Cookie": {"a=1", "b=2"}, "Vary": {"x", "y"}}})
	text, err = look(&s, tea).ServeV2(t.Context(), fmt.Appendf(nil, v2, "/", ""))
	var two events.APIGatewayV2HTTPResponse
	if err != nil || json.Unmarshal(text, &two) != nil {
		t.Fatal(string(text), err)
	}
	check(t, two, events.APIGatewayV2HTTPResponse{StatusCode: 418, Body: "grün", Headers: map[string]string{"Vary": "x, y"}, Cookies: []string{"a=1", "b=2"}})
}

func TestGatewayRespondsWithBase64ToBinary(t *testing.T) {
	var s seen
	text, err := look(&s, func(w http.ResponseWriter) { _, _ = w.Write([]byte{0xff, 0}) }).ServeV2(t.Context(), fmt.Appendf(nil, v2, "/", ""))
	var two events.APIGatewayV2HTTPResponse
	if err != nil || json.Unmarshal(text, &two) != nil {
		t.Fatal(string(text), err)
	}
	if body, _ := base64.StdEncoding.DecodeString(two.Body); !two.IsBase64Encoded || string(body) != "\xff\x00" || two.StatusCode != 200 {
		t.Errorf("%s", text)
	}
}

func TestGatewayRefusesBrokenEvents(t *testing.T) {
	var s seen
	g := look(&s, nothing)
	for _, event := range []string{
		`{"httpMethod":"POST","path":"/","body":"!","isBase64Encoded":true}`,
		`{"httpMethod":"GET /","path":"/"}`,
		`{"httpMethod":"GET","path":1}`,
	} {
		if _, err := g.ServeV1(t.Context(), []byte(event)); err == nil {
			t.Errorf("%s was served", event)
		}
	}
	if _, err := g.ServeV2(t.Context(), []byte(`{"rawPath":1}`)); err == nil {
		t.Error("a path that is a number was served")
	}
}
