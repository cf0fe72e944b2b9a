package ingest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// healthz reports that the process runs. It is also at /health, where the service that this one replaces had it, and at /, which
// load balancers ask by default. It checks no dependency: a restart of this process would not repair Redis.
func (s *server) healthz(c echo.Context) error { return c.JSON(http.StatusOK, health{true, "ok"}) }

// readyz reports whether a request would be accepted now.
func (s *server) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	if err := s.Readiness.Ready(ctx); err != nil {
		if p := asProblem(err); p.kind == unavailable {
			return p
		}
		return unavailable.problem("the store database does not answer").withCause(err)
	}
	return c.JSON(http.StatusOK, health{true, "ok"})
}

type health struct {
	OK     bool   `json:"ok"`
	Status string `json:"status"`
}
