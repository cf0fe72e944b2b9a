package helm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// apiErrors records the error responses of the API server during an operation, and the requests that it did not answer. Helm
// turns some of them into plain text and others only into log lines, so that its errors alone do not tell a quota from a
// broken network.
type apiErrors struct {
	mu            sync.Mutex
	errs          []error
	lastHelmError string // the last line of Helm's log that reports a failure
}

// maxStatus bounds how much of an error response is read; a Status has a few hundred bytes.
const maxStatus = 64 << 10

func (r *apiErrors) record(req *http.Request, res *http.Response, err error) {
	switch {
	case err != nil:
		err = &url.Error{Op: req.Method, URL: req.URL.Path, Err: err}
	case res.StatusCode < 400, res.StatusCode == http.StatusNotFound && req.Method == http.MethodGet:
		return
	default:
		err = readStatus(res)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// readStatus reads the Status from the response and restores the body for the client that waits for it.
func readStatus(res *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxStatus))
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), res.Body), res.Body}
	var status metav1.Status
	if json.Unmarshal(text, &status) != nil || status.Message == "" {
		status = metav1.Status{Message: http.StatusText(res.StatusCode)}
	}
	status.Code = int32(res.StatusCode)
	return &apierrors.StatusError{ErrStatus: status}
}

// cause returns the API error that made Helm return err: err itself if it still has a type that says so, else the API error
// that it quotes, else the last one.
func (r *apiErrors) cause(err error) error {
	if err == nil || typed(err) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, apiError := range r.errs {
		if strings.Contains(err.Error(), rootCause(apiError).Error()) {
			return apiError
		}
	}
	switch {
	case len(r.errs) > 0:
		return r.errs[len(r.errs)-1]
	case r.lastHelmError != "":
		return fmt.Errorf("%w (%s)", err, r.lastHelmError)
	}
	return err
}

// watchLog forwards Helm's log and keeps the last line about a failure: an uninstall reports its cause nowhere else.
func (r *apiErrors) watchLog(log func(string, ...any)) func(string, ...any) {
	return func(format string, args ...any) {
		log(format, args...)
		if !strings.Contains(format, "ailed") {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lastHelmError = fmt.Sprintf(format, args...)
	}
}

// typed reports whether a type in err's chain says where it comes from.
func typed(err error) bool {
	var api apierrors.APIStatus
	_, own := errors.AsType[*provision.Error](err)
	return own || errors.As(err, &api) || kube.IsUnanswered(err)
}

// rootCause is the network's error, without the request that a *url.Error names.
func rootCause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
