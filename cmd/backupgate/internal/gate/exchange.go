package gate

import (
	"io"
	"net/http"
	"strconv"
	"time"
)

// exchange is a request and its answer.
type exchange struct {
	http.ResponseWriter
	started time.Time
	method  string
	target  target
	watch   *watch  // nil: the storage is not asked
	upload  *upload // nil: nothing is sent to it

	code     int
	refused  *refusal
	out      int64
	finished bool // else it was cut off
}

// exchangeKey is under which a request on its way to the storage finds its exchange.
type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// Unwrap is for [http.ResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader notes the status.
func (x *exchange) WriteHeader(code int) {
	if code >= http.StatusOK && x.code == 0 {
		x.code = code
	}
	x.ResponseWriter.WriteHeader(code)
}

// Write tells the watch that the client takes something.
func (x *exchange) Write(p []byte) (n int, err error) {
	if x.watch != nil {
		moved := x.watch.waiting()
		defer func() { moved(n) }()
	}
	n, err = x.ResponseWriter.Write(p)
	x.out += int64(n)
	return n, err
}

func (x *exchange) refuse(refused *refusal) {
	x.refused = refused
	refused.write(x)
}

// status is what the request has ended with, for metrics and log.
func (x *exchange) status() string {
	if !x.finished {
		return "cut"
	}
	return strconv.Itoa(x.code)
}

// received is how many bytes the client has sent.
func (x *exchange) received() int64 {
	if x.upload == nil {
		return 0
	}
	return x.upload.read.Load()
}

// clientBody tells the watch that the client sends something.
type clientBody struct {
	io.ReadCloser
	x *exchange
}

func (b clientBody) Read(p []byte) (int, error) {
	moved := b.x.watch.waiting()
	n, err := b.ReadCloser.Read(p)
	moved(n)
	return n, err
}
