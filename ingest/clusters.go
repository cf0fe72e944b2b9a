package ingest

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// clusters is GET /clusters.
func (s *server) clusters(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	return s.showClusters(ctx, c, http.StatusOK)
}

func (s *server) showClusters(ctx context.Context, c echo.Context, status int) error {
	states, err := s.Clusters.Clusters(ctx)
	if err != nil {
		return err
	}
	return c.JSON(status, provision.ClusterStates{Clusters: states})
}

// loseCluster is POST /clusters/{name}/lost.
func (s *server) loseCluster(c echo.Context) error { return s.changeCluster(c, s.Clusters.LoseCluster) }

// findCluster is POST /clusters/{name}/found.
func (s *server) findCluster(c echo.Context) error { return s.changeCluster(c, s.Clusters.FindCluster) }

func (s *server) changeCluster(c echo.Context, change func(context.Context, string) error) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	if err := change(ctx, pathParam(c, "name")); err != nil {
		return err
	}
	return s.showClusters(ctx, c, http.StatusAccepted)
}
