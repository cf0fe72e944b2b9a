package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// WrapError gives the error of an API request or of a Helm operation its code. doing says what was attempted, in words for
// the caller ("create namespace shop-1"). Text that the API server wrote for users, such as a quota's, is passed on.
func WrapError(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	doing = fmt.Sprintf(doing, args...)
	if own, ok := errors.AsType[*provision.Error](err); ok {
		return own
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return wrapStatus(err, status, doing)
	}
	if IsUnanswered(err) {
		return provision.Wrap(provision.CodeUnavailable, err, "the Kubernetes API did not answer the request to %s", doing)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// wrapStatus is WrapError for an answer of the API server.
func wrapStatus(err error, api apierrors.APIStatus, doing string) error {
	text := Sanitize(api.Status().Message)
	switch code := int(api.Status().Code); {
	case blockedPattern.MatchString(text):
		return provision.Wrap(provision.CodeBlocked, err, "the cluster cannot %s until it is repaired: %s", doing, text)
	case code == http.StatusTooManyRequests || code >= 500:
		return provision.Wrap(provision.CodeUnavailable, err, "the Kubernetes API is temporarily unable to %s: %s", doing, text)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return provision.Wrap(provision.CodeUnavailable, err, "cannot %s: its namespace is being deleted", doing)
	case lackingPermission(code, text):
		return fmt.Errorf("the orchestrator's service account is not allowed to %s; grant it the role from the orchestrator's chart: %w", doing, err)
	case code == http.StatusForbidden || admissionDenied(text):
		return provision.Wrap(provision.CodeQuota, err, "the cluster refused to %s: %s", doing, text)
	case apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		return provision.Wrap(provision.CodeInvalid, err, "the cluster refused to %s as invalid: %s", doing, invalidText(api.Status()))
	case apierrors.IsAlreadyExists(err):
		return provision.Wrap(provision.CodeConflict, err, "cannot %s: %s, and it does not belong to this store", doing, text)
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		// The object changed between the read and the write; the next run reads it again.
		return provision.Wrap(provision.CodeUnavailable, err, "cannot %s: the object was changed in the meantime", doing)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// blockedPattern matches what the API server says of a write that fails until an operator repairs the cluster: an admission
// webhook with failurePolicy Fail that does not answer, etcd that is out of space or has an alarm.
var blockedPattern = regexp.MustCompile(`failed calling webhook|database space exceeded|etcdserver: .*\b(no space|corrupt)`)

// lackingPermission tells a missing role, which operators fix, from an admission rule, which the store's owner has to
// know about: both are 403.
func lackingPermission(code int, text string) bool {
	rbac := strings.Contains(text, `User "`) && strings.Contains(text, " cannot ") ||
		strings.Contains(text, "attempting to grant RBAC permissions not currently held")
	return code == http.StatusUnauthorized || code == http.StatusForbidden && rbac
}

// invalidText says which fields are invalid and why, without the dump of a large value between the two.
func invalidText(status metav1.Status) string {
	if status.Details == nil || len(status.Details.Causes) == 0 {
		return Sanitize(status.Message)
	}
	var texts []string
	for _, cause := range status.Details.Causes {
		why := cause.Message
		if i := strings.LastIndex(why, ": "); len(why) > maxMessage && i >= 0 {
			why = why[i+2:]
		}
		texts = append(texts, strings.TrimPrefix(cause.Field+": ", ": ")+why)
	}
	return Sanitize(fmt.Sprintf("%s %s: %s", status.Details.Kind, status.Details.Name, strings.Join(texts, "; ")))
}

func admissionDenied(text string) bool {
	return strings.Contains(text, "denied the request") || strings.Contains(text, "ValidatingAdmissionPolicy")
}

// IsUnanswered reports whether err comes from the network or a timeout, so that the outcome of the request is unknown.
func IsUnanswered(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

// IgnoreNotFound returns nil for an error that says that the object does not exist, which is success for a delete.
func IgnoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

var (
	userInfoPattern = regexp.MustCompile(`://[^/\s@]*@`)
	secretPattern   = regexp.MustCompile(`(?i)((?:password|passwd|secret|token|key)["']?\s*[=:]\s*)\S+`)
)

const maxMessage = 300

// Sanitize prepares a message from the cluster for the caller: one line, at most maxMessage characters, and without
// anything that looks like a credential. A container's termination message may contain anything.
func Sanitize(message string) string {
	message = masked(message)
	if runes := []rune(message); len(runes) > maxMessage {
		message = string(runes[:maxMessage]) + "…"
	}
	return message
}

// SanitizeLog is Sanitize for the last lines of a log: of a long one, it keeps the end.
func SanitizeLog(lines string) string {
	lines = masked(lines)
	if runes := []rune(lines); len(runes) > maxMessage {
		lines = "…" + string(runes[len(runes)-maxMessage:])
	}
	return lines
}

func masked(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	message = userInfoPattern.ReplaceAllString(message, "://***@")
	return secretPattern.ReplaceAllString(message, "${1}***")
}
