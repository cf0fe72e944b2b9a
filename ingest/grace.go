package ingest

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// LaterDeleter has a store stopped, and deleted when the grace is over unless anything is asked of it before. Its errors follow the rules of [Acceptor]; found is
// false for a store that has nothing to keep: it is deleted at once.
type LaterDeleter interface {
	DeleteLater(ctx context.Context, storeID string, generation int64, grace provision.Grace) (a provision.Accepted, found bool, err error)
}

const (
	minGrace = time.Minute
	maxGrace = 90 * 24 * time.Hour
)

// graceOf is the grace of a delete: what the query says, or that of the installation, which the backend need not know of. Zero is none.
func (s *server) graceOf(c echo.Context, retainData bool) (provision.Grace, error) {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return provision.Grace{}, malformed.problem("the query string is malformed")
	}
	grace, erase := query["grace"], query["erase"]
	switch {
	case len(erase) > 0 && (len(erase) > 1 || len(grace) > 0 || erase[0] != "true" && erase[0] != "false"):
		return provision.Grace{}, invalidFields([]provision.FieldError{{Field: "erase", Detail: "must be given once, as true or false, and without grace"}})
	case len(erase) > 0 && erase[0] == "true":
		return provision.Grace{}, nil
	case len(grace) == 0:
		return provision.Grace{For: s.DeleteGrace, RetainData: retainData, Quiet: true}, nil
	}
	length, err := time.ParseDuration(grace[0])
	if err != nil || len(grace) > 1 || CheckGrace(length) != nil {
		return provision.Grace{}, invalidFields([]provision.FieldError{{Field: "grace", Detail: "must be given once, as a duration between 1m and 2160h, such as 168h"}})
	}
	return provision.Grace{For: length, RetainData: retainData}, nil
}

// CheckGrace returns an error for a grace that is too short or too long.
func CheckGrace(grace time.Duration) error {
	if grace < minGrace || grace > maxGrace {
		return fmt.Errorf("it must be between %s and %s", minGrace, maxGrace)
	}
	return nil
}

// delete accepts a delete that is valid: now, or when its grace is over where the store has something to keep.
func (s *server) delete(c echo.Context, r provision.Request, grace provision.Grace) error {
	if grace.For == 0 {
		return s.accept(c, r, nil)
	}
	c.Set(requestInfoKey, requestInfo{storeID: r.StoreID})
	generation, err := ifMatch(c)
	if err != nil {
		return err
	}
	ctx, cancel := s.changing(c)
	defer cancel()
	a, found, err := s.Later.DeleteLater(ctx, r.StoreID, generation, grace)
	switch {
	case err != nil:
		return uncertain(err)
	case !found:
		return s.accept(c, r, nil)
	case grace.Quiet:
		return answerAccepted(c, r.StoreID, r.Action, a)
	}
	return answerAccepted(c, r.StoreID, a.Action, a)
}
