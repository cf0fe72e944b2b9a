package ingest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// healthz says that the process runs. It asks nobody: a restart does not bring Redis back.
func (s *server) healthz(c echo.Context) error { return c.JSON(http.StatusOK, health{true}) }

// readyz says whether a request would be accepted now.
func (s *server) readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	if err := s.Pinger.Ping(ctx); err != nil {
		return unavailable.problem("the record of the stores does not answer").because(err)
	}
	return c.JSON(http.StatusOK, health{true})
}

type health struct {
	OK bool `json:"ok"`
}
