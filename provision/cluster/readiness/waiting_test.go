package readiness

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newWaiting(budget time.Duration) *waiting {
	return &waiting{expected: map[types.UID]expectedWorkload{"d": {"deployment shop", 2}}, began: noon, deadline: noon.Add(budget), since: map[problemKey]time.Time{}}
}

func TestWaitingEndsAnImageProblemAfterAMinute(t *testing.T) {
	w := newWaiting(10 * time.Minute)
	notFound := "php:99: not found"
	first := w.evaluate(rollout(shopPod("new", waitingFor("ErrImagePull", notFound))), noon)
	if first.done || !first.next.Equal(noon.Add(time.Minute)) {
		t.Fatalf("done %t, next look %s; want one in a minute", first.done, first.next)
	}
	if o := w.evaluate(rollout(shopPod("new", waitingFor("ImagePullBackOff", notFound))), noon.Add(59*time.Second)); o.done {
		t.Fatalf("final after 59 s: %v", o.err)
	}
	o := w.evaluate(rollout(shopPod("new", waitingFor("ImagePullBackOff", notFound))), noon.Add(time.Minute))
	wantCode(t, o.err, provision.CodeImage)
	if got, want := provision.Public(o.err), `shop-new-x: image "php:99" not found (ImagePullBackOff for 1m0s)`; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
}

func TestWaitingForgetsASolvedProblem(t *testing.T) {
	w := newWaiting(10 * time.Minute)
	broken := rollout(shopPod("new", waitingFor("ErrImagePull", "not found")))
	w.evaluate(broken, noon)
	w.evaluate(rollout(shopPod("new", waitingFor("ContainerCreating", ""))), noon.Add(50*time.Second))
	if o := w.evaluate(broken, noon.Add(70*time.Second)); o.done {
		t.Errorf("a problem of 0 s is final: %v", o.err)
	}
}

func TestWaitingEndsAtTheFifthRestart(t *testing.T) {
	w := newWaiting(10 * time.Minute)
	boom := corev1.ContainerStateTerminated{ExitCode: 1}
	for restarts := range int32(5) {
		v := rollout(shopPod("new", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{looping(restarts, boom)}}))
		if o := w.evaluate(v, noon.Add(time.Duration(restarts)*time.Minute)); o.done {
			t.Fatalf("final after %d restarts: %v", restarts, o.err)
		}
	}
	o := w.evaluate(rollout(shopPod("new", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{looping(5, boom)}})), noon.Add(5*time.Minute))
	wantCode(t, o.err, provision.CodeCrash)
	if !strings.Contains(provision.Public(o.err), "for 5m0s") {
		t.Errorf("%q does not say how long", provision.Public(o.err))
	}
}

func TestWaitingExceedsTheDeadlineUnlessReady(t *testing.T) {
	w := newWaiting(time.Minute)
	starting := rollout(shopPod("new", waitingFor("ContainerCreating", "")))
	if o := w.evaluate(starting, noon.Add(59*time.Second)); o.deadlineExceeded || o.done {
		t.Fatal("late before the deadline")
	}
	o := w.evaluate(starting, noon.Add(time.Minute))
	if !o.deadlineExceeded || strings.Join(append(o.incomplete, o.activities...), "; ") !=
		"deployment shop: 0 of 1 pods available; pod shop-new-x: container php waiting: ContainerCreating" {
		t.Errorf("deadlineExceeded %t, incomplete %q, activities %q", o.deadlineExceeded, o.incomplete, o.activities)
	}
	starting.deployments[0].Status.AvailableReplicas = 1
	if o := w.evaluate(starting, noon.Add(time.Hour)); !o.done || o.err != nil {
		t.Errorf("a ready store is late: %+v", o)
	}
}

func TestWaitingDoesNotTrustAStaleCache(t *testing.T) {
	ready := rollout(shopPod("new", corev1.PodStatus{}))
	ready.deployments[0].Status.AvailableReplicas = 1
	w := newWaiting(-time.Hour) // a run that comes long after its deadline
	w.expected["d"] = expectedWorkload{"deployment shop", 3}
	if o := w.evaluate(ready, noon); o.done || o.deadlineExceeded {
		t.Errorf("what was before the last change is taken for it: %+v", o)
	}
	if o := w.evaluate(ready, noon.Add(cacheSyncTimeout)); !o.deadlineExceeded || o.done || o.incomplete[0] != "deployment shop: its last change has not been seen" {
		t.Errorf("a cache that stays behind does not become late: %+v", o)
	}
	w.expected["d"] = expectedWorkload{"deployment shop", 2}
	w.expected["another"] = expectedWorkload{"statefulset db", 1}
	if o := w.evaluate(ready, noon); o.done || o.deadlineExceeded || o.incomplete[0] != "statefulset db does not exist" {
		t.Errorf("a workload that has not been seen does not count: %+v", o)
	}
	delete(w.expected, "another")
	if o := w.evaluate(ready, noon); !o.done || o.err != nil {
		t.Errorf("ready is not taken for ready: %+v", o)
	}
}

func TestWaitingEndsWhenAWorkloadIsRemoved(t *testing.T) {
	starting, removed := rollout(shopPod("new", waitingFor("ContainerCreating", ""))), view{}
	w := newWaiting(10 * time.Minute)
	w.evaluate(removed, noon) // the informers have not seen it yet
	w.evaluate(starting, noon.Add(time.Second))
	o := w.evaluate(removed, noon.Add(time.Minute))
	if o.done || !o.next.Equal(noon.Add(time.Minute+cacheSyncTimeout)) {
		t.Fatalf("done %t at once, next look %s", o.done, o.next)
	}
	o = w.evaluate(removed, o.next)
	wantCode(t, o.err, provision.CodeUnavailable)
	if got, want := provision.Public(o.err), "deployment shop does not exist any more: it was removed after the release was applied"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	if o := w.evaluate(removed, noon.Add(10*time.Minute)); o.done || !o.deadlineExceeded {
		t.Errorf("past the deadline: %+v", o)
	}
}

// TestAfterAHoldAnImageHasTimeUntilTheDeadline: the kubelet asks a registry that has failed ever more rarely.
func TestAfterAHoldAnImageHasTimeUntilTheDeadline(t *testing.T) {
	for _, patient := range []bool{false, true} {
		w := newWaiting(10 * time.Minute)
		w.patient = patient
		broken := rollout(shopPod("new", waitingFor("ImagePullBackOff", "registry is away")))
		w.evaluate(broken, noon)
		if o := w.evaluate(broken, noon.Add(5*time.Minute)); o.done == patient {
			t.Errorf("patient %t: ended %t with %v", patient, o.done, o.err)
		}
		if o := w.evaluate(broken, noon.Add(10*time.Minute)); !o.done && !o.deadlineExceeded {
			t.Errorf("patient %t: waits past the deadline", patient)
		}
	}
}

func TestWhatIsWaitedForIsTold(t *testing.T) {
	o := outcome{incomplete: []string{"deployment a: 0 of 1 pods available"}}
	if got := o.waits(); got != "deployment a: 0 of 1 pods available" {
		t.Error(got)
	}
	o.problems, o.duration = []problem{{object: "a-0", text: "image x cannot be pulled", reason: "ImagePullBackOff"}}, 5*time.Second
	if got := o.waits(); !strings.HasPrefix(got, "deployment a: 0 of 1 pods available; a-0: image x cannot be pulled (ImagePullBackOff for 5s)") || len(o.incomplete) != 1 {
		t.Error(got)
	}
}
