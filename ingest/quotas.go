package ingest

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// quota is GET /creators/{creator_id}.
func (s *server) quota(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	return s.showQuota(ctx, c)
}

func (s *server) showQuota(ctx context.Context, c echo.Context) error {
	q, err := s.Quotas.Quota(ctx, pathParam(c, "creator_id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, q)
}

// setQuota is POST /creators/{creator_id}/quota.
func (s *server) setQuota(c echo.Context) error {
	f, err := s.optionsOf(c)
	if err != nil {
		return err
	}
	most := int64(-1)
	take(&f, "most", "a number", &most)
	if len(f.bad) == 0 && (most < -1 || most > maxQuota) {
		f.refuse("most", "must be a number of stores")
	}
	if creator := pathParam(c, "creator_id"); creator == "" || utf8.RuneCountInString(creator) > maxCreator {
		f.refuse("creator_id", "must be the id of a creator")
	}
	if len(f.bad) > 0 {
		return invalidFields(f.bad)
	}
	var own *int64
	if most >= 0 {
		own = &most
	}
	ctx, cancel := s.changing(c)
	defer cancel()
	if err := s.Quotas.SetQuota(ctx, pathParam(c, "creator_id"), own); err != nil {
		return uncertain(err)
	}
	return s.showQuota(ctx, c)
}

const (
	maxQuota   = 1_000_000
	maxCreator = 200
)

// Quotas says how many stores creators have, and may have. Its errors follow the rules of [Acceptor].
type Quotas interface {
	Quota(ctx context.Context, creator string) (provision.Quota, error)
	SetQuota(ctx context.Context, creator string, most *int64) error // nil: as for all
}
