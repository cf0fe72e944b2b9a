package helm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

func TestAPIErrorsCauseOfHelmsText(t *testing.T) {
	var seen apiErrors
	note := func(method string, code int, message string) {
		t.Helper()
		body := fmt.Sprintf(`{"kind":"Status","status":"Failure","message":%q,"code":%d}`, message, code)
		res := &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body))}
		defer res.Body.Close()
		seen.record(&http.Request{Method: method, URL: &url.URL{Path: "/x"}}, res, nil)
		if text, err := io.ReadAll(res.Body); err != nil || string(text) != body {
			t.Errorf("%q is left of the answer, error %v", text, err)
		}
	}
	note(http.MethodPatch, 403, "exceeded quota: q")
	note(http.MethodPatch, 409, "changed")
	note(http.MethodPatch, 200, "")
	note(http.MethodGet, 404, "not there")

	quoting := errors.New(`cannot patch "x" with kind ConfigMap: exceeded quota: q && more`)
	wantCode(t, kube.WrapError(seen.cause(quoting), "apply"), provision.CodeQuota)
	wantCode(t, kube.WrapError(seen.cause(errors.New("failed to delete release: shop")), "uninstall"), provision.CodeUnavailable)
	typed := apierrors.NewInternalError(errors.New("etcd"))
	if got := seen.cause(typed); got != error(typed) {
		t.Errorf("an error that says itself where it comes from became %v", got)
	}
	if got := seen.cause(nil); got != nil {
		t.Errorf("no error became %v", got)
	}
	var none apiErrors
	none.watchLog(func(string, ...any) {})("uninstall: Failed to delete release: %s", "unknown kind")
	if said := none.cause(errors.New("failed to delete release")).Error(); !strings.Contains(said, "unknown kind") {
		t.Errorf("%q does not say what Helm only logged", said)
	}
	wantCode(t, kube.WrapError(none.cause(errors.New("what")), "apply"), provision.CodeInternal)
}
