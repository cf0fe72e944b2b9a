package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
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
	if len(body) == 0 {
		return nil, nil
	}
	if wrong := notJSON(r.Header); wrong != "" {
		return nil, malformed.problem("the body must be uncompressed JSON in UTF-8, with Content-Type application/json: " + wrong)
	}
	return bytes.TrimPrefix(body, byteOrderMark), nil
}

// byteOrderMark is what some editors and .NET write before UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// notJSON says what of the headers is not about JSON in UTF-8; "" means nothing.
func notJSON(h http.Header) string {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return fmt.Sprintf("the Content-Encoding is %.40q; leave the header out", e)
	}
	given := h.Get("Content-Type")
	if given == "" {
		return ""
	}
	media, params, err := mime.ParseMediaType(given)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || !isJSON(media) {
		return fmt.Sprintf("the Content-Type is %.80q", given)
	}
	if charset := strings.ToLower(params["charset"]); !slices.Contains([]string{"", "utf-8", "utf8", "us-ascii"}, charset) {
		return fmt.Sprintf("its charset is %.40q; send charset=utf-8, or none", charset)
	}
	return ""
}

func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || (strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}
