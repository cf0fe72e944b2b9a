//go:build devcluster

package cluster

import (
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	keys "orchestrator/provision/backup"
	"orchestrator/provision/cluster/backup"
)

// backsUp gives the cluster a gate, and returns what the pods of backups leave as their message there.
func backsUp(t *testing.T, c *Cluster) map[string]any {
	t.Helper()
	key, err := keys.ParseKeys("a-key-of-the-repositories-and-gate-0")
	if err != nil {
		t.Fatal(err)
	}
	c.Backups.Access = backup.Access{Gate: "https://gate.example.com", Keys: key, GateKeys: key}
	return map[string]any{"podAnnotations": map[string]any{"devcluster/message": `{"run":"r","at":1700000000,"database":"d","secrets":"s","orders":2}`}}
}

func makeBackup(t *testing.T, c *Cluster, s provision.Store, values map[string]any, within time.Duration) (provision.Backup, error) {
	t.Helper()
	return c.Backups.MakeBackup(t.Context(), s, tinyRelease(s, values), time.Now().Add(within))
}

// leftOfBackup says what a backup has left: its pod, or the Secret with what opens the repository.
func leftOfBackup(t *testing.T, c *Cluster, s provision.Store) (left []string) {
	t.Helper()
	_, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Get(t.Context(), provision.BackupAccessSecret, metav1.GetOptions{})
	if err == nil {
		left = append(left, "the Secret")
	} else if !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	pods, err := c.api.Clientset.CoreV1().Pods(s.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=backup"})
	if err != nil {
		t.Fatal(err)
	}
	for range pods.Items {
		left = append(left, "a pod")
	}
	return left
}

func TestABackupLeavesNothingInTheNamespace(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	values := backsUp(t, c)
	s := prepared(t, c)
	apply(t, c, s, values)
	made, err := makeBackup(t, c, s, values, time.Minute)
	if err != nil || made.Database != "d" || made.Orders != 2 || !made.At.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("%+v, %v", made, err)
	}
	if left := leftOfBackup(t, c, s); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestABackupThatIsCutOffIsMadeByTheNextRun: whatever the write after which the worker ends, nothing stays once the next run has ended.
func TestABackupThatIsCutOffIsMadeByTheNextRun(t *testing.T) {
	t.Parallel()
	healthy := devCluster(t)
	values := backsUp(t, healthy)
	for after := range int32(4) { // the Secret, the pod, and each of them deleted
		t.Run(strconv.Itoa(int(after))+" writes", func(t *testing.T) {
			t.Parallel()
			c, wire := tripped(t, after)
			backsUp(t, c)
			s := prepared(t, healthy)
			apply(t, healthy, s, values)
			_, err := c.Backups.MakeBackup(provision.WithFence(t.Context(), wire), s, tinyRelease(s, values), time.Now().Add(time.Minute))
			wantCode(t, err, provision.CodeUnavailable)
			if _, err := makeBackup(t, healthy, s, values, time.Minute); err != nil {
				t.Error(err)
			}
			if left := leftOfBackup(t, healthy, s); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

func TestABackupThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	backsUp(t, c)
	values := map[string]any{"podAnnotations": map[string]any{"devcluster/outcome": "crash", "devcluster/message": "backup: the database is away"}}
	s := prepared(t, c)
	apply(t, c, s, nil)
	_, err := makeBackup(t, c, s, values, time.Minute)
	wantCode(t, err, provision.CodeCrash)
	if want := "pod shop-backup failed 3 times: container backup ended 1 times, last with exit code 1: backup: the database is away"; provision.Public(err) != want {
		t.Errorf("the error is %q, want %q", provision.Public(err), want)
	}
	if left := leftOfBackup(t, c, s); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestWhatOpensBackupsGoesWithTheShop: a store whose data stays, without a shop, has no Secret of a backup that was cut off.
func TestWhatOpensBackupsGoesWithTheShop(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: provision.BackupAccessSecret}}
	if _, err := c.api.Clientset.CoreV1().Secrets(s.Namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shop-backup", Labels: map[string]string{"app.kubernetes.io/component": "backup"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "backup", Image: "registry.example/tiny:1"}}}}
	if _, err := c.api.Clientset.CoreV1().Pods(s.Namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Volumes.Detach(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if left := leftOfBackup(t, c, s); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
