package ingest

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// show is GET /stores/{store_id}.
func (s *server) show(c echo.Context) error {
	id := pathID(c)
	c.Set(requestInfoKey, requestInfo{storeID: id})
	if provision.CheckStoreID(id) != "" {
		return noStore.problem("the store id is not valid")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	state, found, err := s.Reader.Store(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return noStore.problem("no store is recorded with the id " + id)
	}
	setETag(c.Response().Header(), state.Generation)
	return c.JSON(http.StatusOK, state)
}

// list is GET /stores.
func (s *server) list(c echo.Context) error {
	return paged(s, c, s.Reader.Stores, func(p *provision.Page) {
		if p.Stores == nil {
			p.Stores = []provision.State{} // an empty list, not null
		}
	})
}

// paged answers with the page that the query selects. normalize may change the page before it is sent.
func paged[P any](s *server, c echo.Context, read func(ctx context.Context, cursor string, limit int) (P, error), normalize func(*P)) error {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return malformed.problem("the query string is malformed")
	}
	limit, err := limitOf(query)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	page, err := read(ctx, query.Get("cursor"), limit)
	if err != nil {
		return err
	}
	normalize(&page)
	return c.JSON(http.StatusOK, page)
}

func limitOf(query url.Values) (int, error) {
	if !query.Has("limit") {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, invalidFields([]provision.FieldError{{Field: "limit", Detail: "must be an integer from 1 to " + strconv.Itoa(maxLimit)}})
	}
	return limit, nil
}
