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
	kind, err := kindFromQuery(c, provision.OrphanKinds)
	if err != nil {
		return err
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

// kindFromQuery reads which of some kinds is asked for.
func kindFromQuery[K ~string](c echo.Context, kinds []K) (K, error) {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return "", malformed.problem("the query string is malformed")
	}
	kind := K(query.Get("kind"))
	if slices.Contains(kinds, kind) {
		return kind, nil
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return "", invalidFields([]provision.FieldError{{Field: "kind", Detail: "must be one of " + strings.Join(names, ", ")}})
}
