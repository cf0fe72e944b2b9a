package ingest

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"orchestrator/provision"
)

// requestInfo is what a handler adds to the log line of its request.
type requestInfo struct {
	storeID    string
	generation int64
	taskID     string
	joined     bool
}

const requestInfoKey = "request info"

// observe wraps every request. It assigns a request id, turns a panic into a response, and after the response writes one log
// line and records one sample.
func (s *server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		c.Response().Header().Set(echo.HeaderXRequestID, requestID(c.Request()))
		defer s.startSpan(c)()
		err := guard(next, c)
		if err != nil {
			c.Error(err)
		}
		took := time.Since(start)
		s.measure(c, took)
		s.log(c, took, err)
		s.audit(c)
		failSpan(c.Request().Context(), err)
		return nil
	}
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// requestID returns the caller's request id if it is safe in a log line and in a URI reference, and a random one otherwise.
func requestID(r *http.Request) string {
	if id := r.Header.Get(echo.HeaderXRequestID); saneID.MatchString(id) {
		return id
	}
	return rand.Text()
}

// panicked is a recovered panic.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func guard(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler: // how a handler aborts a connection in net/http
			panic(v)
		default:
			err = &panicked{v, debug.Stack()}
		}
	}()
	return next(c)
}

func (s *server) log(c echo.Context, took time.Duration, err error) {
	attrs := []slog.Attr{
		slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)),
		slog.String("method", c.Request().Method),
		slog.String("route", route(c)),
		slog.Int("status", c.Response().Status),
		slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.String("ip", c.RealIP()),
	}
	if caller := callerOf(c); caller != "" {
		attrs = append(attrs, slog.String("by", caller))
	}
	if info, ok := c.Get(requestInfoKey).(requestInfo); ok {
		attrs = append(attrs, info.attrs()...)
	}
	s.Log.LogAttrs(c.Request().Context(), level(c), "request", append(attrs, errorAttrs(err)...)...)
}

func (i requestInfo) attrs() []slog.Attr {
	var attrs []slog.Attr
	if provision.CheckStoreID(i.storeID) == "" { // an invalid id may be arbitrarily long
		attrs = append(attrs, slog.String("store_id", i.storeID))
	}
	if i.generation != 0 {
		attrs = append(attrs, slog.Int64("generation", i.generation), slog.String("task_id", i.taskID), slog.Bool("joined", i.joined))
	}
	return attrs
}

// errorAttrs returns the kind of a problem and the fields that it names. The detail is left out, because it may quote the
// body. The cause is logged, because it comes from this process.
func errorAttrs(err error) []slog.Attr {
	if err == nil {
		return nil
	}
	p := asProblem(err)
	attrs := []slog.Attr{slog.String("problem", p.kind.name)}
	if len(p.Errors) > 0 {
		var fields []string
		for _, e := range p.Errors {
			fields = append(fields, e.Field)
		}
		attrs = append(attrs, slog.String("fields", strings.Join(fields, " ")))
	}
	if p.cause != nil {
		attrs = append(attrs, slog.String("error", p.cause.Error()))
	}
	if p, ok := p.cause.(*panicked); ok {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	return attrs
}

// level keeps health checks out of the log at its default level.
func level(c echo.Context) slog.Level {
	switch status := c.Response().Status; {
	case status == http.StatusServiceUnavailable:
		return slog.LevelWarn
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case strings.HasSuffix(c.Path(), "z"):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

func newSeconds() *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "orchestrator_http_request_duration_seconds",
		Help:    "Time from receiving a request to sending its response.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		NativeHistogramMinResetDuration: time.Hour, ConstLabels: prometheus.Labels{"component": "ingest"},
	}, []string{"method", "route", "code"})
	for _, code := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} { // a series that begins at 1 is not seen to increase
		h.WithLabelValues(http.MethodPost, "/", strconv.Itoa(code))
	}
	return h
}

func (s *server) measure(c echo.Context, took time.Duration) {
	method := c.Request().Method
	if route(c) == unmatched {
		method = "" // any client could create a new time series with each invented method
	}
	s.seconds.WithLabelValues(method, route(c), strconv.Itoa(c.Response().Status)).Observe(took.Seconds())
}

const unmatched = "unmatched"

// route returns the pattern that the request matched, never its path, which is the client's text.
func route(c echo.Context) string {
	if status := c.Response().Status; c.Path() == "" || status == http.StatusMethodNotAllowed {
		return unmatched
	}
	return c.Path()
}
