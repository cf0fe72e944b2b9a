package ingest

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// cancelled is the response to a cancel.
type cancelled struct {
	OK         bool             `json:"ok"`
	StoreID    string           `json:"store_id"`
	Action     provision.Op     `json:"action"`
	Generation int64            `json:"generation"`
	Status     provision.Status `json:"status"`
}

// retry is POST /stores/{store_id}/retry.
func (s *server) retry(c echo.Context) error {
	force, err := s.forceOf(c)
	if err != nil {
		return err
	}
	return s.change(c, func(ctx context.Context, id string, generation int64) error {
		a, found, err := s.Repeater.Retry(ctx, id, generation, force)
		return answerRepeated(c, id, a, found, err)
	})
}

// suspend is POST /stores/{store_id}/suspend.
func (s *server) suspend(c echo.Context) error {
	reason, err := s.reasonOf(c)
	if err != nil {
		return err
	}
	return s.change(c, func(ctx context.Context, id string, generation int64) error {
		a, found, err := s.Repeater.Suspend(ctx, id, generation, reason)
		return answerRepeated(c, id, a, found, err)
	})
}

// resume is POST /stores/{store_id}/resume.
func (s *server) resume(c echo.Context) error {
	return s.change(c, func(ctx context.Context, id string, generation int64) error {
		a, found, err := s.Repeater.Resume(ctx, id, generation)
		return answerRepeated(c, id, a, found, err)
	})
}

// rotate is POST /stores/{store_id}/rotate.
func (s *server) rotate(c echo.Context) error {
	return s.change(c, func(ctx context.Context, id string, generation int64) error {
		a, found, err := s.Rotator.Rotate(ctx, id, generation)
		return answerRepeated(c, id, a, found, err)
	})
}

// restore is POST /stores/{store_id}/restore.
func (s *server) restore(c echo.Context) error {
	want, err := s.restoreOf(c)
	if err != nil {
		return err
	}
	return s.change(c, func(ctx context.Context, id string, generation int64) error {
		a, found, err := s.Restorer.Restore(ctx, id, generation, want)
		return answerRepeated(c, id, a, found, err)
	})
}

// backupRequested is the response to a request for a backup.
type backupRequested struct {
	OK          bool      `json:"ok"`
	StoreID     string    `json:"store_id"`
	RequestedAt time.Time `json:"requested_at"`
}

// backup is POST /stores/{store_id}/backup.
func (s *server) backup(c echo.Context) error {
	return s.change(c, func(ctx context.Context, id string, generation int64) error {
		at, found, err := s.Backups.RequestBackup(ctx, id, generation)
		if err != nil || !found {
			return unknownOr(err, id)
		}
		return c.JSON(http.StatusAccepted, backupRequested{true, id, at})
	})
}

// answerRepeated answers a request that was made of the record, or says why it was not.
func answerRepeated(c echo.Context, id string, a provision.Accepted, found bool, err error) error {
	if err != nil || !found {
		return unknownOr(err, id)
	}
	return answerAccepted(c, id, a.Action, a)
}

// cancel is POST /stores/{store_id}/cancel.
func (s *server) cancel(c echo.Context) error {
	return s.change(c, func(ctx context.Context, id string, generation int64) error {
		given, found, err := s.Repeater.Cancel(ctx, id, generation)
		if err != nil || !found {
			return unknownOr(err, id)
		}
		return c.JSON(http.StatusOK, cancelled{true, id, given.Action, given.Generation, given.Status})
	})
}

// protection is the response to a change of a store's protection.
type protection struct {
	OK        bool   `json:"ok"`
	StoreID   string `json:"store_id"`
	Protected bool   `json:"protected"`
}

// protect is POST /stores/{store_id}/protect and /stores/{store_id}/unprotect.
func (s *server) protect(protected bool) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.change(c, func(ctx context.Context, id string, _ int64) error {
			found, err := s.Protector.Protect(ctx, id, protected)
			if err != nil || !found {
				return unknownOr(err, id)
			}
			return c.JSON(http.StatusOK, protection{true, id, protected})
		})
	}
}

// change carries out a request that names its store in the path, and the generation that it is for in If-Match or not at all.
func (s *server) change(c echo.Context, do func(ctx context.Context, id string, generation int64) error) error {
	id, err := storeInPath(c)
	if err != nil {
		return err
	}
	generation, err := ifMatch(c)
	if err != nil {
		return err
	}
	ctx, cancel := s.changing(c)
	defer cancel()
	return do(ctx, id, generation)
}

// unknownOr is the problem of a change that was not made: err, or that there is no such store.
func unknownOr(err error, id string) error {
	if err != nil {
		return uncertain(err)
	}
	return unknownStore(id)
}

// optionsOf parses a body that may be empty.
func (s *server) optionsOf(c echo.Context) (fields, error) {
	body, err := s.readBody(c)
	if err != nil || len(body) == 0 {
		return fields{}, err
	}
	top, err := parse(body)
	if err != nil {
		return fields{}, malformed.problem(err.Error())
	}
	return fields{from: top}, nil
}

// reasonOf reads why a store is suspended.
func (s *server) reasonOf(c echo.Context) (reason string, err error) {
	f, err := s.optionsOf(c)
	if err != nil {
		return "", err
	}
	take(&f, "reason", "a string, in quotes", &reason)
	if why := provision.CheckReason(reason); why != "" {
		f.refuse("reason", why)
	}
	if len(f.bad) > 0 {
		return "", invalidFields(f.bad)
	}
	return reason, nil
}

// restoreOf reads which backup is restored, and with which credentials.
func (s *server) restoreOf(c echo.Context) (want provision.RestoreRequest, err error) {
	f, err := s.optionsOf(c)
	if err != nil {
		return want, err
	}
	take(&f, "backup", "a string, in quotes", &want.Backup)
	take(&f, "new_password", "true or false", &want.NewPassword)
	if want.Backup != "" && !saneRun.MatchString(want.Backup) {
		f.refuse("backup", "must be the run of a backup as GET /stores/{store_id} has it: at most 64 letters, digits and -._")
	}
	if len(f.bad) > 0 {
		return want, invalidFields(f.bad)
	}
	return want, nil
}

// saneRun keeps what cannot be a run of a backup out of the record's errors.
var saneRun = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// forceOf reads what a retry is to do again.
func (s *server) forceOf(c echo.Context) ([]provision.Force, error) {
	f, err := s.optionsOf(c)
	if err != nil {
		return nil, err
	}
	var force []provision.Force
	take(&f, "force", "an array of "+forces(), &force)
	for _, one := range force {
		if !slices.Contains(provision.Forces, one) {
			f.refuse("force", "may hold "+forces()+" only")
			break
		}
	}
	if len(f.bad) > 0 {
		return nil, invalidFields(f.bad)
	}
	slices.Sort(force)
	return slices.Compact(force), nil
}

func forces() string {
	words := make([]string, len(provision.Forces))
	for i, f := range provision.Forces {
		words[i] = `"` + string(f) + `"`
	}
	return strings.Join(words, " and ")
}
