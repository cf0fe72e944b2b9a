package ingest

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// rollout is GET /rollout.
func (s *server) rollout(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.Timeout)
	defer cancel()
	return s.showRollout(ctx, c, http.StatusOK)
}

func (s *server) showRollout(ctx context.Context, c echo.Context, status int) error {
	o, found, err := s.Rollouts.Rollout(ctx)
	if err != nil {
		return err
	}
	if !found {
		return noRollout.problem("there has been no rollout")
	}
	return c.JSON(status, o)
}

// startRollout is POST /rollout.
func (s *server) startRollout(c echo.Context) error {
	plan, err := s.rolloutPlan(c)
	if err != nil {
		return err
	}
	ctx, cancel := s.changing(c)
	defer cancel()
	if err := s.Rollouts.StartRollout(ctx, plan); err != nil {
		return uncertain(err)
	}
	return s.showRollout(ctx, c, http.StatusAccepted)
}

// changeRollout is POST /rollout/pause, /rollout/resume and /rollout/abort.
func (s *server) changeRollout(change provision.RolloutChange) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx, cancel := s.changing(c)
		defer cancel()
		found, err := s.Rollouts.ChangeRollout(ctx, change)
		switch {
		case err != nil:
			return uncertain(err)
		case !found:
			return noRollout.problem("there has been no rollout")
		}
		return s.showRollout(ctx, c, http.StatusAccepted)
	}
}

// What a rollout does where its plan does not say it.
var defaultWaves = []string{"1", "1%", "10%", "50%"}

const (
	defaultParallel    = 10
	defaultMaxFailures = 3
	defaultSoakSeconds = 30 * 60
	maxParallel        = 1000
	maxSoakSeconds     = 7 * 24 * 3600
	maxCanaries        = 100
)

var waveText = regexp.MustCompile(`^([1-9][0-9]{0,6}|[1-9][0-9]?%|100%)$`)

// rolloutPlan reads and checks the body of a request for a rollout.
func (s *server) rolloutPlan(c echo.Context) (p provision.RolloutPlan, err error) {
	if !s.Maintained {
		return p, invalidFields([]provision.FieldError{{Field: "engine", Detail: "cannot be rolled out: the workers of this installation do no maintenance, as on AWS Lambda; " +
			"upgrade stores one by one with a retry that forces an upgrade"}})
	}
	f, err := s.optionsOf(c)
	if err != nil {
		return p, err
	}
	p.Parallel, p.MaxFailures, p.SoakSeconds = defaultParallel, defaultMaxFailures, defaultSoakSeconds
	take(&f, "engine", "a string, in quotes", &p.Engine)
	take(&f, "waves", "an array of strings, such as 10 or 10%", &p.Waves)
	take(&f, "canaries", "an array of store ids", &p.Canaries)
	take(&f, "parallel", "a number", &p.Parallel)
	take(&f, "max_failures", "a number", &p.MaxFailures)
	take(&f, "soak_seconds", "a number of seconds", &p.SoakSeconds)
	take(&f, "without_backup", "true or false", &p.WithoutBackup)
	if len(p.Waves) == 0 {
		p.Waves = defaultWaves
	}
	if !slices.Contains(s.Policy.Engines, p.Engine) {
		f.refuse("engine", "must be one of "+strings.Join(s.Policy.Engines, ", "))
	}
	if slices.ContainsFunc(p.Waves, func(w string) bool { return !waveText.MatchString(w) }) {
		f.refuse("waves", "must be numbers of stores or percentages of all, such as 1, 10%, 50%")
	}
	if len(p.Canaries) > maxCanaries || slices.ContainsFunc(p.Canaries, func(id string) bool { return provision.CheckStoreID(id) != "" || strings.ContainsAny(id, " \t") }) {
		f.refuse("canaries", "must be at most 100 ids of stores")
	}
	if p.Parallel < 1 || p.Parallel > maxParallel {
		f.refuse("parallel", "must be between 1 and 1000")
	}
	if p.MaxFailures < 0 {
		f.refuse("max_failures", "must not be negative")
	}
	if p.SoakSeconds < 0 || p.SoakSeconds > maxSoakSeconds {
		f.refuse("soak_seconds", "must be between 0 and a week")
	}
	if len(f.bad) > 0 {
		return p, invalidFields(f.bad)
	}
	return p, nil
}
