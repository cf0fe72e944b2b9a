package ingest

import (
	"context"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// findings is GET /findings.
func (s *server) findings(c echo.Context) error {
	kind, err := kindFromQuery(c, provision.FindingKinds)
	if err != nil {
		return err
	}
	read := func(ctx context.Context, cursor string, limit int) (provision.Page, error) {
		return s.Findings.Findings(ctx, kind, cursor, limit)
	}
	return paged(s, c, read, func(p *provision.Page) {
		if p.Stores == nil {
			p.Stores = []provision.State{} // an empty list, not null
		}
	})
}
