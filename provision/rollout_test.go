package provision_test

import (
	"context"
	"errors"
	"fmt"
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

	terms               provision.UpgradeTerms
	raises              bool // a backup is to come first
	begin, backup, keep error
	made, old           int // backups, and those that a pod of long ago has made
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

// MakeBackup of a shop that has the edition of before.
func (u *upgrader) MakeBackup(context.Context, provision.Store, provision.Release, time.Time) (provision.Backup, error) {
	u.calls = append(u.calls, "backup")
	u.made++
	at := time.Now()
	if u.made <= u.old {
		at = at.Add(-2 * provision.BackupTimeout)
	}
	return provision.Backup{Run: fmt.Sprint("run-", u.made), At: at}, u.backup
}

// Begin and BackedUp make it the turn of the store too.
func (u *upgrader) Begin(_ context.Context, edition string, backsUp bool) (provision.UpgradeTerms, error) {
	u.calls = append(u.calls, "begin "+edition)
	if backsUp != u.raises {
		return u.terms, fmt.Errorf("it is told that a backup comes first: %t", backsUp)
	}
	return u.terms, u.begin
}

func (u *upgrader) BackedUp(_ context.Context, made provision.Backup) error {
	u.calls = append(u.calls, "keep "+made.Run)
	return u.keep
}

// runner upgrades a store that was provisioned.
func (u *upgrader) runner(t *testing.T) *provision.Runner {
	t.Helper()
	c := &cluster{}
	if err := c.runner().Run(t.Context(), provision.OpProvision, store(1), func(provision.Step) {}); err != nil {
		t.Fatal(err)
	}
	r := c.runner()
	r.Upgrader, r.Releases, r.Readiness = u, u, waitOf{u}
	return r
}

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
		"raises the data":              {has: raised, result: provision.UpgradeRefused, ends: "e1", says: "from 1 to 2, so that it cannot be taken back, and this worker makes no backup before: ORCH_BACKUP_GATE"},
		"raises the data, permitted":   {has: raised, withoutBackup: true, result: provision.UpgradeDone, ends: "e2"},
		"raises the data and fails":    {has: raised, withoutBackup: true, fails: map[string]error{"e2": crash}, result: provision.UpgradeFailed, ends: "e2", says: "cannot read it"},
		"cluster away":                 {has: old, fails: map[string]error{"e2": away}, code: provision.CodeUnavailable, ends: "e2"},
		"cluster away on the way back": {has: old, fails: map[string]error{"e2": crash, "e1": away}, code: provision.CodeUnavailable, ends: "e1"},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			u := &upgrader{has: test.has, now: "e1", fails: test.fails, revert: test.revert}
			r := u.runner(t)
			u.begin, u.terms.WithoutBackup = test.begin, test.withoutBackup
			got, err := r.Upgrade(t.Context(), store(1), u)
			if len(u.calls) == 0 || u.calls[0] != "begin e2" {
				t.Errorf("%s: it does %v", name, u.calls)
			}
			if got.Result != test.result || (test.code != "" && provision.CodeOf(err) != test.code) || (test.code == "") != (err == nil) || u.now != test.ends || !strings.Contains(got.Error, test.says) {
				t.Errorf("%s: %+v, %v, and it has %s", name, got, err, u.now)
			}
			if got.Result == provision.UpgradeDone && (got.Edition != "e2" || got.Outdated) {
				t.Errorf("%s: %+v", name, got)
			}
		})
	}
}

// TestUpgradeOverADataVersionBacksUpFirst: nothing is applied before the backup is on record, and what fails until then touches nothing.
func TestUpgradeOverADataVersionBacksUpFirst(t *testing.T) {
	raised := provision.Editions{Kept: "e1", Current: "e2", KeptData: 1, CurrentData: 2}
	crash := provision.Errorf(provision.CodeCrash, "the gate is full")
	away := provision.Errorf(provision.CodeUnavailable, "the API server is away")
	before := &provision.Backup{Run: "before", At: time.Date(2026, 11, 28, 18, 0, 0, 0, time.UTC)}
	tests := map[string]struct {
		has          provision.Editions
		terms        provision.UpgradeTerms
		backup, keep error
		old          int
		fails        error // of the new edition
		calls        string
		result       provision.UpgradeResult
		code         provision.Code
		says         string
	}{
		"in order":                   {has: raised, calls: "begin e2, backup, keep run-1, apply", result: provision.UpgradeDone},
		"a pod of long ago":          {has: raised, old: 1, calls: "begin e2, backup, backup, keep run-2, apply", result: provision.UpgradeDone},
		"made before":                {has: raised, terms: provision.UpgradeTerms{Backup: before}, calls: "begin e2, apply", result: provision.UpgradeDone},
		"without":                    {has: raised, terms: provision.UpgradeTerms{WithoutBackup: true}, calls: "begin e2, apply", result: provision.UpgradeDone},
		"the same data":              {has: provision.Editions{Kept: "e1", Current: "e2"}, calls: "begin e2, apply", result: provision.UpgradeDone},
		"the backup fails":           {has: raised, backup: crash, calls: "begin e2, backup", result: provision.UpgradeFailed, says: "it was not touched, since the backup before its upgrade failed: the gate is full"},
		"the cluster is away":        {has: raised, backup: away, calls: "begin e2, backup", code: provision.CodeUnavailable},
		"it cannot be kept":          {has: raised, keep: errors.New("a script is broken"), calls: "begin e2, backup, keep run-1", code: provision.CodeBusy},
		"the upgrade fails":          {has: raised, fails: crash, calls: "begin e2, backup, keep run-1, apply", result: provision.UpgradeFailed, says: "`orchestrator restore s --backup run-1`"},
		"it fails after another run": {has: raised, terms: provision.UpgradeTerms{Backup: before}, fails: crash, calls: "begin e2, apply", result: provision.UpgradeFailed, says: "backup before was made, at 2026-11-28T18:00:00Z: once the cause is mended, `orchestrator restore s --backup before`"},
		"it fails without":           {has: raised, terms: provision.UpgradeTerms{WithoutBackup: true}, fails: crash, calls: "begin e2, apply", result: provision.UpgradeFailed, says: "cannot read it"},
		"it is interrupted":          {has: raised, fails: away, calls: "begin e2, backup, keep run-1, apply", code: provision.CodeUnavailable},
	}
	for name, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			u := &upgrader{has: test.has, now: "e1", terms: test.terms, backup: test.backup, keep: test.keep, old: test.old, raises: test.has.CurrentData > test.has.KeptData, fails: map[string]error{"e2": test.fails}}
			r := u.runner(t)
			r.BackupMaker = u
			got, err := r.Upgrade(t.Context(), store(1), u)
			if calls := strings.Join(u.calls, ", "); calls != test.calls {
				t.Errorf("%s: it does %s, want %s", name, calls, test.calls)
			}
			if got.Result != test.result || (test.code == "") != (err == nil) || (test.code != "" && provision.CodeOf(err) != test.code) || !strings.Contains(got.Error, test.says) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			if test.says == "cannot read it" && strings.Contains(got.Error, "restore") {
				t.Errorf("%s: it speaks of a backup that there is none of: %s", name, got.Error)
			}
			if touched := strings.Contains(test.calls, "apply"); test.result == provision.UpgradeFailed && (got.Outdated == touched || (got.Edition == "e2") != touched) {
				t.Errorf("%s: %+v", name, got)
			}
		})
	}
}
