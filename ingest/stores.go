package ingest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// show is GET /stores/{store_id}.
func (s *server) show(c echo.Context) error {
	id, err := storeInPath(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	state, found, err := s.Reader.Store(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return unknownStore(id)
	}
	setETag(c.Response().Header(), state.Generation)
	explanation := provision.Explain(state, time.Now())
	state.Explanation = &explanation
	return c.JSON(http.StatusOK, state)
}

// storeInPath returns the store_id of the path, and notes it for the log. One that no store can have is a 404.
func storeInPath(c echo.Context) (string, error) {
	id := pathID(c)
	c.Set(requestInfoKey, requestInfo{storeID: id})
	if provision.CheckStoreID(id) != "" {
		return "", noStore.problem("the store id is not valid")
	}
	return id, nil
}

func unknownStore(id string) error { return noStore.problem("no store is recorded with the id " + id) }

// list is GET /stores.
func (s *server) list(c echo.Context) error {
	filter, err := filterOf(c)
	if err != nil {
		return err
	}
	find := func(ctx context.Context, cursor string, limit int) (provision.Page, error) {
		return s.Reader.Stores(ctx, filter, cursor, limit)
	}
	return paged(s, c, find, func(p *provision.Page) {
		if p.Stores == nil {
			p.Stores = []provision.State{} // an empty list, not null
		}
	})
}

// maxQuery is how many characters what is searched for may have.
const maxQuery = 253

// filterOf reads which stores a list is to hold. What names no value that could be is refused, so that a typing error is not an empty list.
func filterOf(c echo.Context) (f provision.StoreFilter, err error) {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return f, malformed.problem("the query string is malformed")
	}
	f = provision.StoreFilter{Status: provision.Status(query.Get("status")), Code: provision.Code(query.Get("code")), Engine: query.Get("engine"),
		Cluster: query.Get("cluster"), Creator: query.Get("creator"), Query: query.Get("q")}
	var bad []provision.FieldError
	refuse := func(field, detail string) { bad = append(bad, provision.FieldError{Field: field, Detail: detail}) }
	for _, field := range []string{"status", "code", "engine", "cluster", "creator", "q"} {
		if len(query[field]) > 1 {
			refuse(field, "must be given once")
		}
	}
	if f.Status != "" && !slices.Contains(provision.Statuses, f.Status) {
		refuse("status", "must be one of "+strings.Trim(fmt.Sprint(provision.Statuses), "[]"))
	}
	if f.Code != "" && !slices.Contains(provision.Codes, f.Code) {
		refuse("code", "must be one of "+strings.Trim(fmt.Sprint(provision.Codes), "[]"))
	}
	if len(f.Query) > maxQuery {
		refuse("q", fmt.Sprintf("must have at most %d characters", maxQuery))
	}
	if len(bad) > 0 {
		return f, invalidFields(bad)
	}
	return f, nil
}

// summary is GET /summary.
func (s *server) summary(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	found, err := s.Counter.Summary(ctx, s.Policy.Engines)
	if err != nil {
		return err
	}
	if found.Oldest == nil {
		found.Oldest = []provision.State{} // an empty list, not null
	}
	return c.JSON(http.StatusOK, found)
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
