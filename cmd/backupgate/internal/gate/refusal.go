package gate

import (
	"fmt"
	"net/http"
	"time"
)

// refusal is an answer of the gate's own.
type refusal struct {
	status int
	text   string // for the store's client: it names no address and no password
	cause  error  // for the log; may be nil
	header http.Header
}

func (r *refusal) Error() string { return r.text }

func (r *refusal) Unwrap() error { return r.cause }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

// refuseBecause is refuse with what only the log says.
func refuseBecause(cause error, status int, format string, args ...any) *refusal {
	r := refuse(status, format, args...)
	r.cause = cause
	return r
}

// later is an answer that restic tries again after.
func later(status int, after string, format string, args ...any) *refusal {
	r := refuse(status, format, args...)
	r.header = http.Header{"Retry-After": {after}}
	return r
}

// farewell is how long a client may go on sending what was refused, and again how long it has to take the refusal: the server writes it after it has read the rest.
const farewell = 5 * time.Second

// write ends a request with this answer. What a slow client has not sent by then is not waited for.
func (r *refusal) write(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(farewell)) // where there are no deadlines, as in a test's recorder, there is no slow client
	_ = control.SetWriteDeadline(time.Now().Add(2 * farewell))
	for name, values := range r.header {
		w.Header()[name] = values
	}
	http.Error(w, r.text, r.status)
}
