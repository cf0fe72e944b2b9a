//go:build devcluster

package cluster

import (
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/release"

	"orchestrator/provision"
)

// ofEdition is the same cluster seen by a worker with other installation values.
func ofEdition(t *testing.T, message string) *Cluster {
	t.Helper()
	cfg := devConfig(t)
	cfg.Charts.Values = map[string]any{"message": message}
	c, err := Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAStoreKeepsItsEdition: what a later version installs reaches a store that is deployed only when it is upgraded on purpose.
func TestAStoreKeepsItsEdition(t *testing.T) {
	t.Parallel()
	old, later := ofEdition(t, "old"), ofEdition(t, "later")
	s := prepared(t, old)
	applyWith := func(c *Cluster, s provision.Store, values map[string]any) provision.Applied {
		t.Helper()
		applied, err := c.Releases.Apply(t.Context(), s, tinyRelease(s, values))
		if err != nil {
			t.Fatal(err)
		}
		return applied
	}
	message := func() string {
		t.Helper()
		found, _ := getConfigMap(t, old, s, s.Name)
		return found.Data["message"]
	}
	first := applyWith(old, s, nil)
	if first.Outdated || first.Edition == "" || message() != "old" {
		t.Fatalf("%+v, message %q", first, message())
	}
	if again := applyWith(later, s, nil); !again.Outdated || again.Edition != first.Edition || lastRecord(t, old, s).Version != 1 {
		t.Errorf("an equal request: %+v, revision %d", again, lastRecord(t, old, s).Version)
	}
	s.Generation++
	changed := applyWith(later, s, map[string]any{"extraName": "more"})
	if _, there := getConfigMap(t, old, s, s.Name+"-more"); !changed.Outdated || changed.Edition != first.Edition || message() != "old" {
		t.Errorf("another request: %+v, message %q, its object is there: %t", changed, message(), there)
	}
	leave(t, old, s, release.StatusFailed) // an upgrade that failed leaves no deployed record but the one before
	s.Generation++
	if after := applyWith(later, s, nil); !after.Outdated || message() != "old" {
		t.Errorf("after a failure: %+v, message %q", after, message())
	}
	s.Generation++
	s.Force = []provision.Force{provision.ForceUpgrade}
	upgraded := applyWith(later, s, nil)
	if upgraded.Outdated || upgraded.Edition == first.Edition || message() != "later" {
		t.Errorf("an upgrade: %+v, message %q", upgraded, message())
	}
	s.Generation++
	s.Force = nil
	if back := applyWith(old, s, nil); !back.Outdated || message() != "later" {
		t.Errorf("a worker of the version before takes it back: %+v, message %q", back, message())
	}
	s.Generation++
	if changed = applyWith(old, s, map[string]any{"message": "of the store"}); message() != "of the store" || !changed.Outdated {
		t.Errorf("the store's own value: %+v, message %q", changed, message())
	}
}

// TestAnEditionThatCannotDoWhatIsAskedIsLeft: the chart of the record refuses the values.
func TestAnEditionThatCannotDoWhatIsAskedIsLeft(t *testing.T) {
	t.Parallel()
	refusing, later := ofEdition(t, "old"), ofEdition(t, "later")
	s := prepared(t, refusing)
	apply(t, refusing, s, nil)
	kept := lastRecord(t, refusing, s)
	for _, f := range kept.Chart.Templates {
		if strings.HasSuffix(f.Name, ".yaml") {
			f.Data = append(f.Data, "\n{{ if .Values.extraName }}{{ fail \"not in this version\" }}{{ end }}\n"...)
			break
		}
	}
	if err := records(refusing, s).Update(kept); err != nil {
		t.Fatal(err)
	}
	s.Generation++
	applied, err := later.Releases.Apply(t.Context(), s, tinyRelease(s, map[string]any{"extraName": "more"}))
	if err != nil || applied.Outdated {
		t.Errorf("%+v, %v", applied, err)
	}
}

// TestAStoreGoesBackToAnEarlierEdition: its record still holds it, also after the upgrade has failed half-way.
func TestAStoreGoesBackToAnEarlierEdition(t *testing.T) {
	t.Parallel()
	old, later := ofEdition(t, "old"), ofEdition(t, "later")
	for _, status := range []release.Status{release.StatusDeployed, release.StatusFailed, release.StatusPendingUpgrade} {
		s := prepared(t, old)
		apply(t, old, s, nil)
		want := tinyRelease(s, nil)
		has, err := later.Releases.Editions(t.Context(), s, want)
		if err != nil || has.Kept == "" || has.Kept == has.Current {
			t.Fatalf("%+v, %v", has, err)
		}
		upgraded := s
		upgraded.Force = []provision.Force{provision.ForceUpgrade}
		apply(t, later, upgraded, nil)
		leave(t, later, s, status)
		if after, err := later.Releases.Editions(t.Context(), s, want); err != nil || (after.Kept == has.Current) != (status == release.StatusDeployed) {
			t.Errorf("%s: %+v, %v", status, after, err)
		}
		if err := later.Releases.Revert(t.Context(), s, want, has.Kept); err != nil {
			t.Fatalf("%s: %v", status, err)
		}
		if found, _ := getConfigMap(t, old, s, s.Name); found.Data["message"] != "old" {
			t.Errorf("%s: message %q", status, found.Data["message"])
		}
		if after, err := later.Releases.Editions(t.Context(), s, want); err != nil || after != has {
			t.Errorf("%s: %+v, %v", status, after, err)
		}
		wantCode(t, later.Releases.Revert(t.Context(), s, want, "0000"), provision.CodeInvalid)
	}
}

// TestARecordFromBeforeEditionsIsOutdatedAndNoDrift: a version before did not say which edition a store has.
func TestARecordFromBeforeEditionsIsOutdatedAndNoDrift(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.must(provision.OpProvision, false)
	kept := lastRecord(t, l.c, l.s)
	kept.Labels = map[string]string{"orchestrator/digest": "0123"}
	l.note(records(l.c, l.s).Update(kept))
	found, err := l.r.Audit(t.Context(), l.s, true)
	if err != nil || len(found.Drift)+len(found.Repaired) != 0 || !found.Outdated || found.Edition != "" {
		t.Errorf("%+v, %v", found, err)
	}
	l.must(provision.OpProvision, false)
	if found, err = l.r.Audit(t.Context(), l.s, true); err != nil || found.Outdated || found.Edition == "" {
		t.Errorf("after its next request: %+v, %v", found, err)
	}
}
