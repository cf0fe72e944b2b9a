package readiness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/clock"

	"orchestrator/provision"
)

// startedWatcher watches the store's Deployment, not available yet, and running informers. It is to be made inside a
// synctest bubble, where its informers end with the test.
func startedWatcher(t *testing.T, s provision.Store) (*Watcher, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset(shopDeployment(s, 0))
	w := New(client, slog.New(slog.DiscardHandler), clock.RealClock{})
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); w.Close() })
	if err := w.Start(ctx); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return w, client
}

func shopDeployment(s provision.Store, available int32) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: s.Name, Namespace: s.Namespace, UID: "d", Generation: 1,
		Labels: map[string]string{provision.LabelStore: provision.StoreLabel(s.StoreID)}, Annotations: map[string]string{annotationRevision: "1"}}}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: available}
	return d
}

func TestWatcherWakesWhenTheRolloutCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStore(1)
		w, client := startedWatcher(t, s)
		var done sync.WaitGroup
		start := time.Now()
		for range 50 {
			done.Go(func() {
				if err := w.Wait(t.Context(), s, start.Add(5*time.Minute)); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(90 * time.Second)
		synctest.Wait()
		asked := len(client.Actions())
		if _, err := client.AppsV1().Deployments(s.Namespace).Update(t.Context(), shopDeployment(s, 1), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		done.Wait()
		if took := time.Since(start); took != 90*time.Second {
			t.Errorf("ready was seen after %s, want 1m30s: the moment it was", took)
		}
		if more := len(client.Actions()) - asked; more != 1 {
			t.Errorf("the API was asked %d times while they waited, want 0 besides the test's own write", more-1)
		}
		if left := len(w.cache.notifier.subscribers); left != 0 {
			t.Errorf("%d namespaces are still listened to", left)
		}
	})
}

func TestWatcherNamesWhatWasNotReadyAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStore(1)
		w, client := startedWatcher(t, s)
		start := time.Now()
		err := w.Wait(t.Context(), s, start.Add(5*time.Minute))
		wantCode(t, err, provision.CodeTimeout)
		if time.Since(start) != 5*time.Minute {
			t.Errorf("the wait took %s", time.Since(start))
		}
		if want := "shop was not ready in time: deployment shop: 0 of 1 pods available"; provision.Public(err) != want {
			t.Errorf("says %q, want %q", provision.Public(err), want)
		}
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data", Namespace: s.Namespace, UID: "p"},
			Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}}
		if _, err := client.CoreV1().PersistentVolumeClaims(s.Namespace).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		err = w.Wait(t.Context(), s, start)
		wantCode(t, err, provision.CodeVolume)
		if !strings.Contains(provision.Public(err), "volume claim data: is not bound") {
			t.Errorf("%q does not name the claim", provision.Public(err))
		}
	})
}

func TestWatcherEndsEarlyForAMissingImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStore(1)
		w, client := startedWatcher(t, s)
		set, pod := replicaSet("new", "1"), shopPod("new", waitingFor("ImagePullBackOff", "not found"))
		for _, meta := range []*metav1.ObjectMeta{&set.ObjectMeta, &pod.ObjectMeta} {
			meta.Namespace = s.Namespace
			meta.Labels[provision.LabelStore] = provision.StoreLabel(s.StoreID)
		}
		if _, err := client.AppsV1().ReplicaSets(s.Namespace).Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() {
			if _, err := client.CoreV1().Pods(s.Namespace).Create(context.Background(), pod, metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
		})
		start := time.Now()
		err := w.Wait(t.Context(), s, start.Add(5*time.Minute))
		wantCode(t, err, provision.CodeImage)
		if time.Since(start) != 70*time.Second {
			t.Errorf("it took %s, want 10 s and a minute", time.Since(start))
		}
	})
}

func TestWatcherReturnsTheCauseOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStore(1)
		w, _ := startedWatcher(t, s)
		cause := errors.New("superseded")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if err := w.Wait(ctx, s, time.Now().Add(time.Hour)); !errors.Is(err, cause) {
			t.Errorf("error %v", err)
		}
	})
}

func TestWatcherRefusesAReleaseWithoutWorkloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStore(1)
		w, client := startedWatcher(t, s)
		s.Namespace = "another"
		if err := client.Tracker().Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.Wait(t.Context(), s, time.Now().Add(time.Hour)), provision.CodeInternal)
	})
}

func TestLogWatchErrorsLogsUnexpectedOnes(t *testing.T) {
	var logged strings.Builder
	log := slog.New(slog.NewTextHandler(&logged, nil))
	for _, usual := range []error{io.EOF, apierrors.NewResourceExpired("old"), fmt.Errorf("reading: %w", io.EOF)} {
		logWatchErrors(log)(t.Context(), nil, usual)
	}
	if logged.Len() > 0 {
		t.Errorf("logged %q", logged.String())
	}
	logWatchErrors(log)(t.Context(), nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no role")))
	if !strings.Contains(logged.String(), "no role") {
		t.Errorf("logged %q", logged.String())
	}
}

func TestTrimKeepsWhatReadinessReads(t *testing.T) {
	s := testStore(1)
	d := shopDeployment(s, 0)
	d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}}
	d.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = strings.Repeat("x", 1000)
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web"}}
	three := int32(3)
	d.Spec.Replicas = &three
	trimmed, err := trim(d.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	before, after := view{deployments: []*appsv1.Deployment{d}}, view{deployments: []*appsv1.Deployment{trimmed.(*appsv1.Deployment)}}
	if a, b := before.workloads()[0].incomplete(), after.workloads()[0].incomplete(); a != b || a == "" {
		t.Errorf("the whole object is incomplete by %q, the trimmed one %q", a, b)
	}
	if size := trimmed.(*appsv1.Deployment).Size(); size > 300 {
		t.Errorf("the trimmed object has %d bytes", size)
	}
}

func TestWatcherEndsWhenTheNamespaceIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStore(1)
		w, client := startedWatcher(t, s)
		start := time.Now()
		time.AfterFunc(time.Minute, func() {
			_ = client.AppsV1().Deployments(s.Namespace).Delete(t.Context(), s.Name, metav1.DeleteOptions{})
		})
		wantCode(t, w.Wait(t.Context(), s, start.Add(5*time.Minute)), provision.CodeUnavailable)
		if took := time.Since(start); took != time.Minute+cacheSyncTimeout {
			t.Errorf("it took %s", took)
		}
		err := w.Wait(t.Context(), s, start.Add(5*time.Minute)) // of a run that comes too late to see a workload at all
		wantCode(t, err, provision.CodeUnavailable)
		if want := "namespace store-1 was deleted after the release was applied"; provision.Public(err) != want {
			t.Errorf("says %q, want %q", provision.Public(err), want)
		}
	})
}
