package ingest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

const headerIfMatch = "If-Match"

// setETag names the generation that a response shows, for If-Match.
func setETag(h http.Header, generation int64) {
	h.Set("ETag", `"`+strconv.FormatInt(generation, 10)+`"`)
}

// ifMatch returns the generation that has to be the newest of the store for the request to be accepted, by the header If-Match; 0 where there is none.
func ifMatch(c echo.Context) (int64, error) {
	values := c.Request().Header.Values(headerIfMatch)
	if len(values) == 0 {
		return 0, nil
	}
	tag, opened := strings.CutPrefix(strings.Join(values, ","), `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	generation, err := strconv.ParseInt(tag, 10, 64)
	if err != nil || !opened || !closed || generation <= 0 {
		return 0, malformed.problem(`the header If-Match must be the ETag of GET /stores/{store_id}, such as "1764000000000" with its quotes`)
	}
	return generation, nil
}
