package ingest

import (
	"strings"

	"github.com/labstack/echo/v4"
)

// plainPath routes a path with a slash at its end, or with several in a row, as the one without: callers join the configured URL and
// a path in every way. The path is rewritten, not redirected: there are callers that do not follow redirects.
func plainPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		u.Path, u.RawPath = singleSlashes(u.Path), singleSlashes(u.RawPath)
		return next(c)
	}
}

// singleSlashes returns the path with one slash between its parts and none at its end. An escaped slash is not one.
func singleSlashes(path string) string {
	if path == "" {
		return ""
	}
	parts := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	return "/" + strings.Join(parts, "/")
}
