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
func (s *server) graceOf(c echo.Context, r provision.Request) (provision.Grace, error) {
	if r.Action != provision.OpDelete {
		return provision.Grace{}, nil
	}
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
		return provision.Grace{For: s.DeleteGrace, RetainData: r.RetainData, Quiet: true}, nil
	}
	length, err := time.ParseDuration(grace[0])
	if err != nil || len(grace) > 1 || CheckGrace(length) != nil {
		return provision.Grace{}, invalidFields([]provision.FieldError{{Field: "grace", Detail: "must be given once, as a duration between 1m and 2160h, such as 168h"}})
	}
	return provision.Grace{For: length, RetainData: r.RetainData}, nil
}

// CheckGrace returns an error for a grace that is too short or too long.
func CheckGrace(grace time.Duration) error {
	if grace < minGrace || grace > maxGrace {
		return fmt.Errorf("it must be between %s and %s", minGrace, maxGrace)
	}
	return nil
}
