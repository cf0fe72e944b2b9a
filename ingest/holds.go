package ingest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// holds is GET /holds.
func (s *server) holds(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	return s.showHolds(ctx, c)
}

func (s *server) showHolds(ctx context.Context, c echo.Context) error {
	holds, err := s.Holds.Holds(ctx)
	if err != nil {
		return err
	}
	if holds == nil {
		holds = []provision.Hold{} // an empty list, not null
	}
	return c.JSON(http.StatusOK, provision.Holds{Holds: holds})
}

// releaseHold is POST /holds/{cluster}/{engine}/release.
func (s *server) releaseHold(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	cluster, engine := pathParam(c, "cluster"), pathParam(c, "engine")
	found, err := s.Holds.ReleaseHold(ctx, cluster, engine)
	if err != nil {
		return err
	}
	if !found {
		return noHold.problem("no store of engine " + engine + " waits on cluster " + cluster)
	}
	return s.showHolds(ctx, c)
}
