package provision_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orchestrator/provision"
)

// upgrader is a store's release in two editions; fails says what the shop does in each.
type upgrader struct {
	has    provision.Editions
	now    string           // the edition that is applied
	fails  map[string]error // by edition: the wait for its pods
	revert error
	calls  []string
}

func (u *upgrader) Editions(context.Context, provision.Store, provision.Release) (provision.Editions, error) {
	return u.has, nil
}

func (u *upgrader) Revert(_ context.Context, _ provision.Store, _ provision.Release, edition string) error {
	u.calls = append(u.calls, "revert")
	u.now = edition
	return u.revert
}

// Apply of a release that is not forced would leave the edition.
func (u *upgrader) Apply(_ context.Context, s provision.Store, _ provision.Release) (provision.Applied, error) {
	u.calls = append(u.calls, "apply")
	if s.Forced(provision.ForceUpgrade) {
		u.now = u.has.Current
	}
	return provision.Applied{}, nil
}

func (u *upgrader) Remove(context.Context, provision.Store) error { return nil }

// waitOf waits for the pods of the edition that is applied.
type waitOf struct{ *upgrader }

func (w waitOf) Wait(context.Context, provision.Store, time.Time) error { return w.fails[w.now] }

// TestUpgradeOfAStore goes through how it may end.
func TestUpgradeOfAStore(t *testing.T) {
	crash := provision.Errorf(provision.CodeCrash, "the container keeps exiting")
	away := provision.Errorf(provision.CodeUnavailable, "the API server is away")
	old := provision.Editions{Kept: "e1", Current: "e2", KeptData: 1, CurrentData: 1}
	raised := provision.Editions{Kept: "e1", Current: "e2", KeptData: 1, CurrentData: 2}
	tests := map[string]struct {
		has           provision.Editions
		withoutBackup bool
		begin         error
		fails         map[string]error
		revert        error

		result provision.UpgradeResult // "" is an error
		code   provision.Code
		ends   string // the edition in the end
		says   string
	}{
		"good":                         {has: old, result: provision.UpgradeDone, ends: "e2"},
		"already there":                {has: provision.Editions{Kept: "e2", Current: "e2"}, result: provision.UpgradeDone, ends: "e1"},
		"not its turn":                 {has: old, begin: provision.Errorf(provision.CodeBusy, "paused"), code: provision.CodeBusy, ends: "e1"},
		"fails, and is taken back":     {has: old, fails: map[string]error{"e2": crash}, result: provision.UpgradeFailed, ends: "e1", says: "keeps exiting; it was taken back"},
		"fails both ways":              {has: old, fails: map[string]error{"e2": crash, "e1": crash}, result: provision.UpgradeFailed, ends: "e1", says: "that failed too"},
		"no record of the one before":  {has: old, fails: map[string]error{"e2": crash}, revert: provision.Errorf(provision.CodeInvalid, "no record"), result: provision.UpgradeFailed, ends: "e1", says: "no record"},
		"of an unknown edition":        {has: provision.Editions{Current: "e2", CurrentData: 2}, fails: map[string]error{"e2": crash}, result: provision.UpgradeFailed, ends: "e2", says: "does not say which edition"},
		"raises the data":              {has: raised, result: provision.UpgradeRefused, ends: "e1", says: "from 1 to 2"},
		"raises the data, permitted":   {has: raised, withoutBackup: true, result: provision.UpgradeDone, ends: "e2"},
		"raises the data and fails":    {has: raised, withoutBackup: true, fails: map[string]error{"e2": crash}, result: provision.UpgradeFailed, ends: "e2", says: "cannot read it"},
		"cluster away":                 {has: old, fails: map[string]error{"e2": away}, code: provision.CodeUnavailable, ends: "e2"},
		"cluster away on the way back": {has: old, fails: map[string]error{"e2": crash, "e1": away}, code: provision.CodeUnavailable, ends: "e1"},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{}
			if err := c.runner().Run(t.Context(), provision.OpProvision, store(1), func(provision.Step) {}); err != nil {
				t.Fatal(err)
			}
			r := c.runner()
			u := &upgrader{has: test.has, now: "e1", fails: test.fails, revert: test.revert}
			r.Upgrader, r.Releases, r.Readiness = u, u, waitOf{u}
			got, err := r.Upgrade(t.Context(), store(1), func(edition string) (bool, error) {
				if edition != "e2" || len(u.calls) > 0 {
					t.Errorf("%s: asked for %s after %v", name, edition, u.calls)
				}
				return test.withoutBackup, test.begin
			})
			if got.Result != test.result || (test.code != "" && provision.CodeOf(err) != test.code) || (test.code == "") != (err == nil) || u.now != test.ends || !strings.Contains(got.Error, test.says) {
				t.Errorf("%s: %+v, %v, and it has %s", name, got, err, u.now)
			}
			if got.Result == provision.UpgradeDone && (got.Edition != "e2" || got.Outdated) {
				t.Errorf("%s: %+v", name, got)
			}
		})
	}
}
