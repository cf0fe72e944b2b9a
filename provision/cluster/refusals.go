package cluster

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
)

// refusals remembers what the API server refused during an operation, and what it did not answer. Helm turns some of
// that into plain text, and hides some of it in its log, so that its errors alone do not tell a quota from a broken
// network.
type refusals struct {
	mu    sync.Mutex
	errs  []error
	heard string // the last line of Helm's log that tells of a failure
}

// maxStatus is how much of a refusal is read; a Status is a few hundred bytes.
const maxStatus = 64 << 10

func (r *refusals) note(req *http.Request, res *http.Response, err error) {
	switch {
	case err != nil:
		err = &url.Error{Op: req.Method, URL: req.URL.Path, Err: err}
	case res.StatusCode < 400, res.StatusCode == http.StatusNotFound && req.Method == http.MethodGet:
		return
	default:
		err = statusError(res)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// statusError reads the answer's Status and puts the body back for the client that waits for it.
func statusError(res *http.Response) error {
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

// behind returns the refusal that made Helm return err: err itself where it still says, else the one that it quotes,
// else the last one.
func (r *refusals) behind(err error) error {
	if err == nil || tells(err) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, refusal := range r.errs {
		if strings.Contains(err.Error(), root(refusal).Error()) {
			return refusal
		}
	}
	switch {
	case len(r.errs) > 0:
		return r.errs[len(r.errs)-1]
	case r.heard != "":
		return fmt.Errorf("%w (%s)", err, r.heard)
	}
	return err
}

// listen passes Helm's log on and remembers what it says about failures: an uninstall says why it failed nowhere else.
func (r *refusals) listen(log func(string, ...any)) func(string, ...any) {
	return func(format string, args ...any) {
		log(format, args...)
		if !strings.Contains(format, "ailed") {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.heard = fmt.Sprintf(format, args...)
	}
}

// tells reports whether err's chain says by type where it comes from.
func tells(err error) bool {
	var api apierrors.APIStatus
	_, own := errors.AsType[*provision.Error](err)
	return own || errors.As(err, &api) || unanswered(err)
}

// root is what the network said, without the request that a *url.Error names.
func root(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
