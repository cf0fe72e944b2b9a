package ingest

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// orphans is GET /orphans.
func (s *server) orphans(c echo.Context) error {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return malformed.problem("the query string is malformed")
	}
	kind := provision.OrphanKind(query.Get("kind"))
	if !slices.Contains(provision.OrphanKinds, kind) {
		return invalidFields([]provision.FieldError{{Field: "kind", Detail: "must be one of " + orphanKinds()}})
	}
	read := func(ctx context.Context, cursor string, limit int) (provision.Orphans, error) {
		return s.Reader.Orphans(ctx, kind, cursor, limit)
	}
	return paged(s, c, read, func(p *provision.Orphans) {
		if p.Orphans == nil {
			p.Orphans = []provision.Orphan{} // an empty list, not null
		}
	})
}

func orphanKinds() string {
	names := make([]string, len(provision.OrphanKinds))
	for i, kind := range provision.OrphanKinds {
		names[i] = string(kind)
	}
	return strings.Join(names, ", ")
}
