//go:build devcluster

package cluster

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"orchestrator/provision"
)

// raised are the charts with a higher version of the data that their shops write.
func raised(t *testing.T, charts fs.FS) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(charts, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(charts, path)
		if path == "store/tiny/Chart.yaml" {
			data = append(data, "\nannotations: {orchestrator/data: \"1\"}\n"...)
		}
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// annotated is the tiny engine with annotations of its pods, which say how those of jobs end.
type annotated struct {
	tinyEngine
	pods map[string]any
}

func (e annotated) Release(s provision.Store) (provision.Release, error) {
	return tinyRelease(s, map[string]any{"podAnnotations": e.pods}), nil
}

// watchedTurn notes what the store was as its backup was kept.
type watchedTurn struct {
	look  func() string
	found []string
	made  provision.Backup
	keep  error
}

func (w *watchedTurn) Begin(_ context.Context, _ string, backsUp bool) (provision.UpgradeTerms, error) {
	w.found = append(w.found, fmt.Sprintf("begin, with a backup %t: %s", backsUp, w.look()))
	return provision.UpgradeTerms{}, nil
}

func (w *watchedTurn) BackedUp(_ context.Context, made provision.Backup) error {
	w.found, w.made = append(w.found, "backed up: "+w.look()), made
	return w.keep
}

// TestAnUpgradeOverADataVersionBacksUpFirst: with the pod of the edition that the store has, before anything is applied; what fails until then leaves the store as it was.
func TestAnUpgradeOverADataVersionBacksUpFirst(t *testing.T) {
	t.Parallel()
	message := fmt.Sprintf(`{"run":"r","at":%d,"database":"d","secrets":"s","orders":2}`, time.Now().Unix())
	for name, test := range map[string]struct {
		pods   map[string]any // of the backup
		keep   error
		result provision.UpgradeResult
		found  []string
		ends   string
		says   string
	}{
		"in order": {pods: map[string]any{"devcluster/message": message}, result: provision.UpgradeDone,
			found: []string{"begin, with a backup true: old, revision 1, left []", "backed up: old, revision 1, left []"}, ends: "later, revision 2, left []"},
		"the backup fails": {pods: map[string]any{"devcluster/outcome": "crash", "devcluster/message": "backup: the gate is full"}, result: provision.UpgradeFailed,
			found: []string{"begin, with a backup true: old, revision 1, left []"}, ends: "old, revision 1, left []", says: "it was not touched, since the backup before its upgrade failed: pod shop-backup failed 3 times"},
		"it is not kept": {pods: map[string]any{"devcluster/message": message}, keep: provision.Errorf(provision.CodeUnavailable, "Redis is away"),
			found: []string{"begin, with a backup true: old, revision 1, left []", "backed up: old, revision 1, left []"}, ends: "old, revision 1, left []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := watching(t, ofEdition(t, "old"))
			cfg := devConfig(t)
			cfg.Charts.Values, cfg.Charts.FS = map[string]any{"message": "later"}, raised(t, cfg.Charts.FS)
			later, err := Connect(cfg)
			if err != nil {
				t.Fatal(err)
			}
			backsUp(t, watching(t, later))
			s := devStore(t, old)
			if err := devRunner(old).Run(t.Context(), provision.OpProvision, s, func(provision.Step) {}); err != nil {
				t.Fatal(err)
			}
			turn := &watchedTurn{keep: test.keep, look: func() string {
				found, _ := getConfigMap(t, old, s, s.Name)
				return fmt.Sprintf("%s, revision %d, left %v", found.Data["message"], lastRecord(t, old, s).Version, leftOfBackup(t, old, s))
			}}
			r := devRunner(later)
			r.Engines = map[string]provision.Engine{"tiny": annotated{pods: test.pods}}
			got, err := r.Upgrade(t.Context(), s, turn)
			if got.Result != test.result || (err == nil) != (test.keep == nil) || !strings.Contains(got.Error, test.says) || turn.look() != test.ends || !slices.Equal(turn.found, test.found) {
				t.Errorf("%+v, %v; it found %q and has in the end %s", got, err, turn.found, turn.look())
			}
			if test.result == provision.UpgradeDone && (turn.made.Run != "r" || turn.made.Orders != 2) {
				t.Errorf("the backup is %+v", turn.made)
			}
		})
	}
}
