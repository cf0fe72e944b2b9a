package ingest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// readBody returns the whole body of a request, which may be empty. Its errors are problems for the caller.
func (s *server) readBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	body, err := io.ReadAll(http.MaxBytesReader(c.Response().Writer, r.Body, s.MaxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge.problem(fmt.Sprintf("the body is larger than %d bytes", s.MaxBody))
	}
	if err != nil {
		return nil, malformed.problem("the body did not arrive completely").withCause(err)
	}
	if len(body) > 0 && !isJSON(r.Header) {
		return nil, malformed.problem("the body must be uncompressed JSON in UTF-8, with Content-Type application/json")
	}
	return body, nil
}

func isJSON(h http.Header) bool {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
	if h.Get("Content-Type") == "" {
		return true
	}
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || (params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8")) {
		return false
	}
	return media == "application/json" || (strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}
