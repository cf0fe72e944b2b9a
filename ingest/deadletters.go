package ingest

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// replayed is the response to a replay.
type replayed struct {
	OK      bool                   `json:"ok"`
	ID      string                 `json:"id"`
	Outcome provision.ReplayResult `json:"outcome"`
}

// letters is GET /dead-letters.
func (s *server) letters(c echo.Context) error {
	return paged(s, c, s.Reader.DeadLetters, func(p *provision.DeadLetters) {
		if p.DeadLetters == nil {
			p.DeadLetters = []provision.DeadLetter{} // an empty list, not null
		}
	})
}

// replay is POST /dead-letters/{id}/replay.
func (s *server) replay(c echo.Context) error {
	id := pathParam(c, "id")
	c.Set(requestInfoKey, requestInfo{storeID: storeOf(id)})
	// The client may disconnect now; the callback must be enqueued all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), s.Timeout)
	defer cancel()
	outcome, err := s.Replayer.Replay(ctx, id)
	switch {
	case err != nil:
		return err
	case outcome == provision.ReplayUnknown:
		return noDeadLetter.problem("no dead letter has this id; once replayed, a callback is no longer a dead letter")
	}
	return c.JSON(http.StatusAccepted, replayed{true, id, outcome})
}

// storeOf returns the store id in a callback id, for the log.
func storeOf(callbackID string) string {
	_, rest, _ := strings.Cut(callbackID, ".")
	_, store, _ := strings.Cut(rest, ".")
	return store
}
