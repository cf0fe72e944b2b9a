//go:build devcluster

package cluster

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/backup"
)

// sealed is what the pod of a restore has found in a backup of the store, as it seals it.
func sealed(t *testing.T, c *Cluster, s provision.Store, text string) string {
	t.Helper()
	name, err := c.Backups.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("openssl", "enc", "-aes-256-cbc", "-pbkdf2", "-iter", "100000", "-md", "sha256", "-salt", "-a", "-A", "-pass", "env:RESTIC_PASSWORD")
	cmd.Stdin = strings.NewReader(text)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "RESTIC_PASSWORD=" + c.Backups.Access.Keys.RepositoryPasswords(name, provision.StoreLabel(s.StoreID))[0]}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// toRestore is a store whose release is applied, that is to be restored as of its own generation, with what its pods leave as their message.
func toRestore(t *testing.T, c *Cluster) (provision.Store, *backup.Restorer, map[string]any) {
	t.Helper()
	backsUp(t, c)
	s := prepared(t, c)
	s.Restore = &provision.Restore{Generation: s.Generation, Backup: provision.Backup{Run: "r", Secrets: "s"}}
	says := `{"run":"r","orders":2,"products":1,"seconds":1,"credentials":"` + sealed(t, c, s, "credentials 1\nadmin-password of-the-backup\n") + `"}`
	values := map[string]any{"podAnnotations": map[string]any{"devcluster/message": says}}
	apply(t, c, s, values)
	return s, c.restorer(), values
}

func restoreStore(ctx context.Context, r *backup.Restorer, s provision.Store, values map[string]any) error {
	return r.Restore(ctx, s, tinyRelease(s, values), time.Now().Add(time.Minute))
}

func restoredTime(t *testing.T, r *backup.Restorer, s provision.Store) time.Time {
	t.Helper()
	at, err := r.Restored(t.Context(), s, tinyRelease(s, nil))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestARestoreBringsThePasswordBackAndIsDoneOnce(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s, r, values := toRestore(t, c)
	if at := restoredTime(t, r, s); !at.IsZero() {
		t.Fatalf("it was restored at %s", at)
	}
	if err := restoreStore(t.Context(), r, s, values); err != nil {
		t.Fatal(err)
	}
	if got := password(t, c, s); got != "of-the-backup" {
		t.Errorf("the password is %q", got)
	}
	if at := restoredTime(t, r, s); time.Since(at).Abs() > time.Minute {
		t.Errorf("it was restored at %s", at)
	}
	pods, err := c.api.Clientset.CoreV1().Pods(s.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=restore"})
	if err != nil || len(pods.Items) > 0 || len(leftOfBackup(t, c, s)) > 0 {
		t.Errorf("%d pods are left, and %v: %v", len(pods.Items), leftOfBackup(t, c, s), err)
	}
	s.Restore.Generation++
	if at := restoredTime(t, r, s); !at.IsZero() {
		t.Errorf("a newer request counts as done at %s", at)
	}
}

// TestARestoreThatIsCutOffIsDoneByTheNextRun: whatever the write after which the worker ends.
func TestARestoreThatIsCutOffIsDoneByTheNextRun(t *testing.T) {
	t.Parallel()
	for after := range int32(5) { // the Secret, the pod, each of them deleted, and the password
		t.Run(strconv.Itoa(int(after))+" writes", func(t *testing.T) {
			t.Parallel()
			healthy := devCluster(t)
			s, r, values := toRestore(t, healthy)
			c, wire := tripped(t, after)
			backsUp(t, c)
			err := restoreStore(provision.WithFence(t.Context(), wire), c.restorer(), s, values)
			wantCode(t, err, provision.CodeUnavailable)
			if err := restoreStore(t.Context(), r, s, values); err != nil {
				t.Error(err)
			}
			if got := password(t, healthy, s); got != "of-the-backup" || restoredTime(t, r, s).IsZero() {
				t.Errorf("the password is %q, restored at %s", got, restoredTime(t, r, s))
			}
			if left := leftOfBackup(t, healthy, s); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

// TestANewPasswordComesAfterARestore, also in a namespace that is new, whose Secret was drawn after the request.
func TestANewPasswordComesAfterARestore(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s, r, values := toRestore(t, c)
	s.Rotation = s.Restore.Generation
	if err := c.Credentials.change(t.Context(), s, func(secret *corev1.Secret) (bool, error) { return setRotated(secret, s.Rotation), nil }); err != nil {
		t.Fatal(err)
	}
	if err := restoreStore(t.Context(), r, s, values); err != nil {
		t.Fatal(err)
	}
	if !isDue(t, c, s) {
		t.Error("no other password is drawn")
	}
}

// TestARestoreIsKeptInTheNamespace, for a loss of Redis, until a generation comes without it.
func TestARestoreIsKeptInTheNamespace(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := devStore(t, c)
	for generation, restore := range []*provision.Restore{{Generation: 7, Backup: provision.Backup{Run: "r", At: time.Unix(1700000000, 0).UTC(), Secrets: "s"}}, nil} {
		s.Generation, s.Restore = s.Generation+int64(generation), restore
		if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		saved, ok := savedState(getNamespace(t, c, s))
		if got := saved.Store.Restore; !ok || (got == nil) != (restore == nil) || got != nil && *got != *restore {
			t.Errorf("saved: %+v, want %+v", got, restore)
		}
	}
}
