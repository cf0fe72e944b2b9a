package backup

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
)

// sealedFor is "admin-password abc" by the repository's password of the rig: printf 'credentials 1\nadmin-password abc\n' | openssl enc …
const sealedFor = "U2FsdGVkX1/HjQYxNgrO2sevvD+RV1+y1inuq5utyCgIfDy8ch2VxN3bM97R3dxX4/G+m9bzXbMvmqiDHCzgmQ=="

// secretOf is a store's Secret.
type secretOf struct {
	at      time.Time
	entries map[string]string
}

func (s *secretOf) RestoredAt(context.Context, provision.Store) (time.Time, error) { return s.at, nil }

func (s *secretOf) TakeBack(_ context.Context, _ provision.Store, _ []provision.Credential, entries map[string]string) error {
	s.at, s.entries = time.Now(), entries
	return nil
}

func restoring(t *testing.T, says string) (*Restorer, *rig, *secretOf, provision.Store) {
	t.Helper()
	r := newRig(t, corev1.ReadWriteOnce)
	r.says = says
	secret := &secretOf{}
	s := store
	s.Restore = &provision.Restore{Generation: s.Generation, Backup: provision.Backup{Run: "r", Secrets: "s"}}
	return &Restorer{Maker: r.Maker, Credentials: secret, Abandon: func(context.Context, provision.Store) error { r.abandoned++; return nil }}, r, secret, s
}

func TestRestore(t *testing.T) {
	restorer, r, secret, s := restoring(t, `{"run":"r","orders":2,"products":1,"seconds":3,"credentials":"`+sealedFor+`"}`)
	if at, err := restorer.Restored(t.Context(), s, provision.Release{}); !at.IsZero() || err != nil {
		t.Errorf("before it: %s, %v", at, err)
	}
	if err := restorer.Restore(t.Context(), s, provision.Release{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"admin-password": "abc"}; !maps.Equal(secret.entries, want) {
		t.Errorf("the Secret takes %v back, want %v", secret.entries, want)
	}
	if r.seen == nil || !strings.HasPrefix(r.seen.StringData["repository"], "rest:https://gate.example.com/prod/") {
		t.Errorf("the pod has %+v", r.seen)
	}
	if left := r.left(t); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	if at, err := restorer.Restored(t.Context(), s, provision.Release{}); at.IsZero() || err != nil {
		t.Errorf("after it: %s, %v", at, err)
	}
}

func TestWhatARestoreHasNotDoneIsNotTakenBack(t *testing.T) {
	for name, try := range map[string]struct {
		phase corev1.PodPhase
		says  string
		code  provision.Code
		text  string
	}{
		"the backup does not fit": {corev1.PodFailed, "restore: refused: it is of another engine", provision.CodeConflict, "store store-1 cannot be restored from backup r, and is as it was: it is of another engine"},
		"it fails":                {corev1.PodFailed, "restore: the database is away", provision.CodeCrash, "the database is away"},
		"of another backup":       {corev1.PodSucceeded, `{"run":"earlier","credentials":"x"}`, provision.CodeUnavailable, "has restored backup earlier"},
		"it says nothing":         {corev1.PodSucceeded, "", provision.CodeCrash, "says nothing of a restore"},
		"sealed by another":       {corev1.PodSucceeded, `{"run":"r","credentials":"U2FsdGVkX18="}`, provision.CodeCrash, "cannot be read"},
	} {
		restorer, r, secret, s := restoring(t, try.says)
		r.phase = try.phase
		err := restorer.Restore(t.Context(), s, provision.Release{}, time.Now().Add(time.Minute))
		if refused := try.code == provision.CodeConflict; errors.Is(err, provision.ErrRestoreRefused) != refused || (r.abandoned == 1) != refused {
			t.Errorf("%s: it counts as refused: %t; abandoned %d times", name, !refused, r.abandoned)
		}
		if provision.CodeOf(err) != try.code || !strings.Contains(provision.Public(err), try.text) || secret.entries != nil {
			t.Errorf("%s: %v; taken back: %v", name, err, secret.entries)
		}
		if left := r.left(t); len(left) > 0 {
			t.Errorf("%s: %v are left", name, left)
		}
	}
}

func TestAVolumeThatOnePodMayUseIsNotRestored(t *testing.T) {
	restorer, r, _, s := restoring(t, "")
	r.Maker.API.Clientset = newRig(t, corev1.ReadWriteOncePod).API.Clientset
	if err := restorer.Restore(t.Context(), s, provision.Release{}, time.Now().Add(time.Minute)); !errors.Is(err, provision.ErrRestoreRefused) {
		t.Error(err)
	}
}
