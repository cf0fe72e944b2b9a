package ingest

import (
	"context"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// LaterDeleter has a store stopped, and deleted when the grace is over unless anything is asked of it before. Its errors follow the rules of [Acceptor]; found is
// false for a store that has nothing to keep: it is deleted at once.
type LaterDeleter interface {
	DeleteLater(ctx context.Context, storeID string, generation int64, grace time.Duration, retainData bool) (a provision.Accepted, found bool, err error)
}

const (
	minGrace = time.Minute
	maxGrace = 90 * 24 * time.Hour
)

// graceFromQuery parses grace; 0 is none.
func graceFromQuery(c echo.Context) (time.Duration, error) {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return 0, malformed.problem("the query string is malformed")
	}
	values := query["grace"]
	if len(values) == 0 {
		return 0, nil
	}
	grace, err := time.ParseDuration(values[0])
	if err != nil || len(values) > 1 || grace < minGrace || grace > maxGrace {
		return 0, invalidFields([]provision.FieldError{{Field: "grace", Detail: "must be given once, as a duration between 1m and 2160h, such as 168h"}})
	}
	return grace, nil
}

// deleteLater answers a delete with grace. It reports false, and answers nothing, where the store has nothing to keep.
func (s *server) deleteLater(c echo.Context, r provision.Request, grace time.Duration) (later bool, err error) {
	c.Set(requestInfoKey, requestInfo{storeID: r.StoreID})
	generation, err := ifMatch(c)
	if err != nil {
		return false, err
	}
	ctx, cancel := s.changing(c)
	defer cancel()
	a, found, err := s.Later.DeleteLater(ctx, r.StoreID, generation, grace, r.RetainData)
	if err != nil {
		return false, uncertain(err)
	}
	if !found {
		return false, nil
	}
	return true, answerAccepted(c, r.StoreID, a.Action, a)
}
