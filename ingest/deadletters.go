package ingest

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// replayed is the answer to a letter that was to be sent again.
type replayed struct {
	OK      bool             `json:"ok"`
	ID      string           `json:"id"`
	Outcome provision.Replay `json:"outcome"`
}

// letters is GET /dead-letters.
func (s *server) letters(c echo.Context) error {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return malformed.problem("the query cannot be read")
	}
	limit, err := limitOf(query)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	page, err := s.Reader.Letters(ctx, query.Get("cursor"), limit)
	if err != nil {
		return err
	}
	if page.Letters == nil {
		page.Letters = []provision.Letter{} // an empty list, not null
	}
	return c.JSON(http.StatusOK, page)
}

// replay is POST /dead-letters/{id}/replay.
func (s *server) replay(c echo.Context) error {
	id := pathParam(c, "id")
	c.Set(entryKey, entry{storeID: storeOf(id)})
	// A caller that hangs up now must not leave a letter that waits for the sweeper.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), s.Timeout)
	defer cancel()
	outcome, err := s.Replayer.Replay(ctx, id)
	switch {
	case err != nil:
		return err
	case outcome == provision.ReplayUnknown:
		return noLetter.problem("no dead letter has this id; one that was sent again is none any more")
	}
	return c.JSON(http.StatusAccepted, replayed{true, id, outcome})
}

// storeOf is the last part of a callback's id, for the log.
func storeOf(callbackID string) string {
	_, rest, _ := strings.Cut(callbackID, ".")
	_, store, _ := strings.Cut(rest, ".")
	return store
}
