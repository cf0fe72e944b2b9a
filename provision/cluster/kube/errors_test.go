package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"orchestrator/provision"
)

var configMaps = schema.GroupResource{Resource: "configmaps"}

func TestWrapErrorCodes(t *testing.T) {
	terminating := apierrors.NewForbidden(configMaps, "x", errors.New("because it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	status := func(code int32, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Message: message}}
	}
	cases := []struct {
		name string
		err  error
		code provision.Code
		says string
	}{
		{"too many requests", apierrors.NewTooManyRequests("slow down", 1), provision.CodeUnavailable, ""},
		{"internal error", apierrors.NewInternalError(errors.New("etcd")), provision.CodeUnavailable, ""},
		{"internal error, its text", apierrors.NewInternalError(errors.New("etcdserver: leader changed")), provision.CodeUnavailable, "create config map x: Internal error occurred: etcdserver: leader changed"},
		{"webhook away", apierrors.NewInternalError(errors.New(`failed calling webhook "w.example.com": failed to call webhook: Post "https://w.default.svc:443/": connection refused`)),
			provision.CodeBlocked, `the cluster cannot create config map x until it is repaired: Internal error occurred: failed calling webhook "w.example.com"`},
		{"storage full", status(500, "etcdserver: mvcc: database space exceeded"), provision.CodeBlocked, "database space exceeded"},
		{"storage damaged", status(500, "etcdserver: corrupt cluster"), provision.CodeBlocked, "corrupt cluster"},
		{"a bad gateway", status(502, "nginx"), provision.CodeUnavailable, ""},
		{"unavailable", apierrors.NewServiceUnavailable("starting"), provision.CodeUnavailable, ""},
		{"gateway timeout", apierrors.NewTimeoutError("slow", 1), provision.CodeUnavailable, ""},
		{"conflict", apierrors.NewConflict(configMaps, "x", errors.New("changed")), provision.CodeUnavailable, ""},
		{"not found", apierrors.NewNotFound(configMaps, "x"), provision.CodeUnavailable, ""},
		{"namespace going", terminating, provision.CodeUnavailable, "is being deleted"},
		{"no permission", status(403, `configmaps is forbidden: User "system:serviceaccount:a:b" cannot create resource "configmaps"`), provision.CodeInternal, ""},
		{"no right to grant", status(403, `rolebindings "x" is forbidden: user "system:serviceaccount:a:b" is attempting to grant RBAC permissions not currently held: {}`), provision.CodeInternal, ""},
		{"not logged in", apierrors.NewUnauthorized("who are you"), provision.CodeInternal, ""},
		{"quota", status(403, `pods "x" is forbidden: exceeded quota: q`), provision.CodeQuota, "exceeded quota: q"},
		{"admission webhook", status(400, `admission webhook "w" denied the request: no`), provision.CodeQuota, "denied the request: no"},
		{"admission policy", status(422, `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`), provision.CodeQuota, "denied request: no"},
		{"exists", apierrors.NewAlreadyExists(configMaps, "x"), provision.CodeConflict, `configmaps "x" already exists`},
		{"bad request", apierrors.NewBadRequest("unknown field"), provision.CodeInvalid, "unknown field"},
		{"refused connection", &url.Error{Op: "Get", URL: "https://10.0.0.1", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}, provision.CodeUnavailable, ""},
		{"broken off", fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), provision.CodeUnavailable, ""},
		{"too slow", context.DeadlineExceeded, provision.CodeUnavailable, ""},
		{"the fence", &url.Error{Op: "Post", URL: "x", Err: provision.Errorf(provision.CodeUnavailable, "lease")}, provision.CodeUnavailable, "lease"},
		{"unforeseen", errors.New("what"), provision.CodeInternal, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := WrapError(c.err, "create config map %s", "x")
			wantCode(t, err, c.code)
			if !strings.Contains(provision.Public(err), c.says) {
				t.Errorf("%q does not say %q", provision.Public(err), c.says)
			}
			if strings.Contains(provision.Public(err), "10.0.0.1") || strings.Contains(provision.Public(err), "system:serviceaccount") {
				t.Errorf("%q tells internals", provision.Public(err))
			}
			if apierrors.IsNotFound(c.err) != apierrors.IsNotFound(err) {
				t.Error("the API server's answer is lost")
			}
		})
	}
	if WrapError(nil, "x") != nil {
		t.Error("no error has become one")
	}
}

func TestWrapErrorNamesInvalidFieldsWithoutTheirDump(t *testing.T) {
	big := strings.Repeat("x", 5000)
	err := apierrors.NewInvalid(schema.GroupKind{Kind: "StatefulSet"}, "db", field.ErrorList{
		field.Invalid(field.NewPath("spec", "template"), big, "field is immutable"),
		field.Required(field.NewPath("spec", "name"), "needs one")})
	got := provision.Public(WrapError(err, "apply release shop"))
	want := "the cluster refused to apply release shop as invalid: StatefulSet db: spec.template: field is immutable; spec.name: Required value: needs one"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestSanitizeMessages(t *testing.T) {
	cases := map[string]string{
		"two\n  lines":                             "two lines",
		"cannot reach postgres://u:pw@db:5432/x":   "cannot reach postgres://***@db:5432/x",
		`config {"password": "hunter2", "a": "b"}`: `config {"password": *** "a": "b"}`,
		"DB_PASSWORD=hunter2 failed":               "DB_PASSWORD=*** failed",
		strings.Repeat("ä", 400):                   strings.Repeat("ä", 300) + "…",
	}
	for message, want := range cases {
		if got := Sanitize(message); got != want {
			t.Errorf("clean(%q) = %q, want %q", message, got, want)
		}
	}
}

func wantCode(t *testing.T, err error, want provision.Code) {
	t.Helper()
	if err == nil || provision.CodeOf(err) != want {
		t.Fatalf("error %v has the code %q, want %q", err, provision.CodeOf(err), want)
	}
}
