package ingest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// healthz reports that the process runs. It checks no dependency: a restart of this process would not repair Redis.
func (s *server) healthz(c echo.Context) error { return c.JSON(http.StatusOK, health{true}) }

// readyz reports whether a request would be accepted now.
func (s *server) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	if err := s.Pinger.Ping(ctx); err != nil {
		return unavailable.problem("the store database does not answer").withCause(err)
	}
	return c.JSON(http.StatusOK, health{true})
}

type health struct {
	OK bool `json:"ok"`
}
