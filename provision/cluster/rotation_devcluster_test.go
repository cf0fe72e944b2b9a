//go:build devcluster

package cluster

import (
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

const rotationTest = 41 // the generation that asks for it

// installed is a store whose release is applied and whose credentials are older than the newest rotation.
func installed(t *testing.T, c *Cluster) provision.Store {
	t.Helper()
	s := prepared(t, c)
	apply(t, c, s, nil)
	s.Rotation = rotationTest
	return s
}

func rotate(t *testing.T, c *Cluster, s provision.Store, values map[string]any) error {
	t.Helper()
	return c.Rotations.Rotate(t.Context(), s, tinyRelease(s, values), time.Now().Add(time.Minute))
}

func password(t *testing.T, c *Cluster, s provision.Store) string {
	t.Helper()
	word, err := c.Credentials.Password(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return word
}

func isDue(t *testing.T, c *Cluster, s provision.Store) bool {
	t.Helper()
	due, err := c.Rotations.Due(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

// jobPods are the pods of jobs that exist in the store's namespace.
func jobPods(t *testing.T, c *Cluster, s provision.Store) []corev1.Pod {
	t.Helper()
	pods, err := c.api.Clientset.CoreV1().Pods(s.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=job"})
	if err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

func TestARotationIsDoneOnce(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := installed(t, c)
	first := password(t, c, s)
	if !isDue(t, c, s) {
		t.Fatal("credentials that are older than the rotation are not due")
	}
	if err := rotate(t, c, s, nil); err != nil {
		t.Fatal(err)
	}
	second := password(t, c, s)
	if second == first || len(second) != len(first) {
		t.Errorf("the password has %d characters, and is another one: %t", len(second), second != first)
	}
	if isDue(t, c, s) || len(jobPods(t, c, s)) > 0 {
		t.Errorf("it is still due, or left %d pods", len(jobPods(t, c, s)))
	}
	if secret := getSecret(t, c, s); len(secret.Data[provision.AdminPassword+provision.NextSuffix]) > 0 {
		t.Error("the next password is still there")
	}
	s.Rotation++
	if !isDue(t, c, s) {
		t.Error("a newer rotation is not due")
	}
}

func TestCredentialsOfANewStoreAreNotRotated(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := devStore(t, c)
	s.Rotation = rotationTest
	if _, err := c.Namespaces.Ensure(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := c.Credentials.Ensure(t.Context(), s, tinyRelease(s, nil).Credentials); err != nil {
		t.Fatal(err)
	}
	if isDue(t, c, s) {
		t.Error("credentials that were made after the request for others are due")
	}
}

// TestARotationThatIsCutOffGoesOn: whatever the write after which the worker ends, the password that is told stays that of before, and the next run brings
// the one that was drawn first, which the shop may have already.
func TestARotationThatIsCutOffGoesOn(t *testing.T) {
	t.Parallel()
	healthy := devCluster(t)
	for after := range int32(4) { // draw, create the pod, delete it, take
		t.Run(strconv.Itoa(int(after))+" writes", func(t *testing.T) {
			t.Parallel()
			c, wire := tripped(t, after)
			s := installed(t, healthy)
			first := password(t, healthy, s)
			wantCode(t, c.Rotations.Rotate(provision.WithFence(t.Context(), wire), s, tinyRelease(s, nil), time.Now().Add(time.Minute)), provision.CodeUnavailable)
			if got := password(t, healthy, s); got != first {
				t.Error("the password to tell has changed before the rotation was done")
			}
			drawn := string(getSecret(t, healthy, s).Data[provision.AdminPassword+provision.NextSuffix])
			if (drawn != "") != (after > 0) {
				t.Errorf("a next password was drawn: %t", drawn != "")
			}
			if err := rotate(t, healthy, s, nil); err != nil {
				t.Fatal(err)
			}
			if got := password(t, healthy, s); drawn != "" && got != drawn {
				t.Error("the next run has drawn another password than the shop may have")
			}
			if n := len(jobPods(t, healthy, s)); n > 0 {
				t.Errorf("%d pods are left", n)
			}
		})
	}
}

// TestCredentialsThatTheShopDoesNotTakeAreNotTold: the error says which pod and why, and what is told stays.
func TestCredentialsThatTheShopDoesNotTakeAreNotTold(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	for name, failing := range map[string]struct {
		values map[string]any
		code   provision.Code
		says   string
	}{
		"its pod fails":      {map[string]any{"podAnnotations": map[string]any{"devcluster/outcome": "crash"}}, provision.CodeCrash, "failed 3 times: container rotate ended"},
		"its pod has no end": {map[string]any{"image": "registry.example/tiny:missing"}, provision.CodeTimeout, "did not end in time: image"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := installed(t, c)
			first := password(t, c, s)
			err := c.Rotations.Rotate(t.Context(), s, tinyRelease(s, failing.values), time.Now().Add(5*time.Second))
			wantCode(t, err, failing.code)
			if text := provision.Public(err); !strings.Contains(text, "pod shop-rotate "+failing.says) {
				t.Errorf("the error is %q", text)
			}
			if password(t, c, s) != first || !isDue(t, c, s) || len(jobPods(t, c, s)) > 0 {
				t.Error("the password has changed, or the rotation is no longer due, or a pod is left")
			}
		})
	}
}

// TestAJobEndsWithItsShop: a store that is stopped waits for no pod of a job.
func TestAJobEndsWithItsShop(t *testing.T) {
	t.Parallel()
	c := devCluster(t)
	s := prepared(t, c)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shop-rotate", Labels: map[string]string{"app.kubernetes.io/component": "job"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "rotate", Image: "registry.example/tiny:1"}}}}
	if _, err := c.api.Clientset.CoreV1().Pods(s.Namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Volumes.Detach(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if n := len(jobPods(t, c, s)); n > 0 {
		t.Errorf("%d pods are left", n)
	}
}
