package ingest

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// findings is GET /findings.
func (s *server) findings(c echo.Context) error {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return malformed.problem("the query string is malformed")
	}
	kind := provision.FindingKind(query.Get("kind"))
	if !slices.Contains(provision.FindingKinds, kind) {
		names := make([]string, len(provision.FindingKinds))
		for i, k := range provision.FindingKinds {
			names[i] = string(k)
		}
		return invalidFields([]provision.FieldError{{Field: "kind", Detail: "must be one of " + strings.Join(names, ", ")}})
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
