package readiness

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// rollout is a Deployment shop whose current ReplicaSet has the pods given, none of them available yet.
func rollout(pods ...*corev1.Pod) view {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "d", Generation: 2, Annotations: map[string]string{annotationRevision: "2"}}}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, UpdatedReplicas: int32(len(pods)), Replicas: int32(len(pods))}
	v := view{deployments: []*appsv1.Deployment{d}, pods: pods, replicaSets: []*appsv1.ReplicaSet{
		replicaSet("old", "1"), replicaSet("new", "2")}}
	return v
}

func replicaSet(hash, revision string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "shop-" + hash, UID: types.UID("rs-" + hash),
		Labels: map[string]string{"pod-template-hash": hash}, Annotations: map[string]string{annotationRevision: revision},
		OwnerReferences: []metav1.OwnerReference{{UID: "d"}}}}
}

func shopPod(hash string, status corev1.PodStatus) *corev1.Pod {
	return &corev1.Pod{Status: status, ObjectMeta: metav1.ObjectMeta{Name: "shop-" + hash + "-x",
		Labels: map[string]string{"pod-template-hash": hash}, OwnerReferences: []metav1.OwnerReference{{UID: types.UID("rs-" + hash)}}}}
}

func waitingFor(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "php", Image: "php:99",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}}
}

func looping(restarts int32, ended corev1.ContainerStateTerminated) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: "setup", RestartCount: restarts,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &ended}}
}

func unscheduledStatus(message string) corev1.PodStatus {
	return corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: "Unschedulable", Message: message}}}
}

func TestProblemsOfAPod(t *testing.T) {
	const never = untilDeadline
	boom := corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error", Message: "no\ndatabase"}
	cases := []struct {
		name   string
		status corev1.PodStatus
		code   provision.Code // "" for no problem
		grace  time.Duration
		says   string
	}{
		{"image not found", waitingFor("ErrImagePull", `failed to resolve: php:99: not found`), provision.CodeImage, time.Minute, `image "php:99" not found (ErrImagePull for 1m1s)`},
		{"image backed off", waitingFor("ImagePullBackOff", `Back-off pulling image "php:99"`), provision.CodeImage, time.Minute, `image "php:99" cannot be pulled`},
		{"image forbidden", waitingFor("ErrImagePull", "pull access denied, repository does not exist"), provision.CodeImage, time.Minute, "refuses access"},
		{"image name", waitingFor("InvalidImageName", "invalid reference format"), provision.CodeImage, time.Minute, "not a valid name"},
		{"registry away", waitingFor("ErrImagePull", "dial tcp: i/o timeout"), provision.CodeImage, never, "does not answer"},
		{"registry busy", waitingFor("ImagePullBackOff", "toomanyrequests: rate limit"), provision.CodeImage, never, "does not answer"},
		{"missing secret", waitingFor("CreateContainerConfigError", `secret "x" not found`), provision.CodeCrash, never, `cannot be started: secret "x" not found`},
		{"just starting", waitingFor("ContainerCreating", ""), "", 0, ""},
		{"one crash", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{looping(1, boom)}}, provision.CodeCrash, never, "container setup ended 2 times, last with exit code 3: no database"},
		{"five restarts of an init container", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{looping(5, boom)}}, provision.CodeCrash, 0, "container setup ended 6 times, last with exit code 3: no database"},
		{"out of memory", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{looping(6, corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"})}}, provision.CodeCrash, 0, "exit code 137, OOMKilled"},
		{"ended just now, five restarts", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "a", RestartCount: 5,
			State: corev1.ContainerState{Terminated: &boom}}}}, provision.CodeCrash, 0, "exit code 3"},
		{"an init container that did its work", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "a", RestartCount: 7,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}}}}, "", 0, ""},
		{"evicted", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}, provision.CodeUnschedulable, never,
			"was given up on node (none): The node was low on resource: memory. (Evicted for"},
		{"node lost", corev1.PodStatus{Phase: corev1.PodRunning, Reason: "NodeLost", Message: "Node n1 which was running pod x is unresponsive"}, provision.CodeUnschedulable, never,
			"is unresponsive (NodeLost for"},
		{"no room", unscheduledStatus("0/3 nodes are available: 3 Insufficient memory."), provision.CodeUnschedulable, never, "no node can run it: 0/3 nodes"},
		{"no volume", unscheduledStatus("pod has unbound immediate PersistentVolumeClaims"), provision.CodeVolume, never, "unbound immediate"},
		{"volume elsewhere", unscheduledStatus("1 node(s) had volume node affinity conflict"), provision.CodeVolume, never, "node affinity"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := rollout(shopPod("new", c.status))
			found := v.problems(v.workloads())
			if c.code == "" {
				if len(found) != 0 {
					t.Errorf("found %+v, want nothing", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("found %+v, want one problem", found)
			}
			if found[0].code != c.code || found[0].grace != c.grace {
				t.Errorf("code %s, grace %s; want %s, %s", found[0].code, found[0].grace, c.code, c.grace)
			}
			if said := found[0].message(61 * time.Second); !strings.Contains(said, c.says) || !strings.HasPrefix(said, "shop-new-x") {
				t.Errorf("%q does not name the pod and say %q", said, c.says)
			}
		})
	}
}

func TestProblemsIgnorePodsOfAnOlderRevision(t *testing.T) {
	broken := corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{looping(50, corev1.ContainerStateTerminated{ExitCode: 1})}}
	v := rollout(shopPod("old", broken))
	if found := v.problems(v.workloads()); len(found) != 0 {
		t.Errorf("an old pod's problem is taken for the new revision's: %+v", found)
	}
	v.deployments[0].Annotations[annotationRevision] = "3" // a ReplicaSet that has not been seen yet
	v.pods = []*corev1.Pod{shopPod("new", broken)}
	if found := v.problems(v.workloads()); len(found) != 0 {
		t.Errorf("the revision before is taken for the newest: %+v", found)
	}
}

func TestPodCreationProblemsAreAQuota(t *testing.T) {
	event := func(uid types.UID, message string, at int64) *corev1.Event {
		return &corev1.Event{Reason: reasonFailedCreate, Message: message, InvolvedObject: corev1.ObjectReference{UID: uid},
			LastTimestamp: metav1.Unix(at, 0)}
	}
	exceeded := `pods "shop-x" is forbidden: exceeded quota: q`
	cases := []struct {
		name   string
		change func(*view)
		grace  time.Duration // 0: no problem
	}{
		{"nothing", func(*view) {}, 0},
		{"the deployment's condition", func(v *view) {
			v.deployments[0].Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: exceeded}}
		}, quotaGrace},
		{"an event of the current replica set", func(v *view) { v.events = []*corev1.Event{event("rs-new", exceeded, 1)} }, quotaGrace},
		{"an event of the old replica set", func(v *view) { v.events = []*corev1.Event{event("rs-old", exceeded, 1)} }, 0},
		{"an event of another object", func(v *view) { v.events = []*corev1.Event{event("else", exceeded, 1)} }, 0},
		{"a webhook that is down", func(v *view) {
			v.events = []*corev1.Event{event("rs-new", "failed calling webhook: connection refused", 1)}
		}, untilDeadline},
		{"the newest event counts", func(v *view) {
			v.events = []*corev1.Event{event("rs-new", exceeded, 9), event("rs-new", "failed calling webhook", 1)}
		}, quotaGrace},
		{"pods are there by now", func(v *view) {
			v.events = []*corev1.Event{event("rs-new", exceeded, 1)}
			v.deployments[0].Status.Replicas, v.deployments[0].Status.UpdatedReplicas = 1, 1
		}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := rollout()
			c.change(&v)
			found := v.problems(v.workloads())
			if c.grace == 0 {
				if len(found) != 0 {
					t.Errorf("found %+v, want nothing", found)
				}
				return
			}
			if len(found) != 1 || found[0].code != provision.CodeQuota || found[0].grace != c.grace {
				t.Errorf("found %+v, want a quota with a grace of %s", found, c.grace)
			}
		})
	}
}

func TestWorkloadIncomplete(t *testing.T) {
	complete := workload{kind: "deployment", name: "shop", generation: 3, observed: 3, desired: 2, updated: 2, total: 2, available: 2}
	cases := []struct {
		name   string
		change func(*workload)
		want   string
	}{
		{"complete", func(*workload) {}, ""},
		{"scaled to nothing", func(w *workload) { w.desired, w.updated, w.total, w.available = 0, 0, 0, 0 }, ""},
		{"not observed", func(w *workload) { w.observed = 2 }, "deployment shop: its last change has not been observed"},
		{"not updated", func(w *workload) { w.updated = 1 }, "deployment shop: 1 of 2 pods up to date"},
		{"old pods", func(w *workload) { w.total = 3 }, "deployment shop: 1 old pods left"},
		{"not available", func(w *workload) { w.available = 0 }, "deployment shop: 0 of 2 pods available"},
	}
	for _, c := range cases {
		w := complete
		c.change(&w)
		if got := w.incomplete(); got != c.want {
			t.Errorf("%s: incomplete is %q, want %q", c.name, got, c.want)
		}
	}
}

func TestStartProblemsHaveTheMessageOfTheCluster(t *testing.T) {
	claims := []corev1.PersistentVolumeClaim{
		{ObjectMeta: metav1.ObjectMeta{Name: "bound", UID: "b"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}},
		{ObjectMeta: metav1.ObjectMeta{Name: "data-0", UID: "p"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}},
	}
	events := []corev1.Event{
		{Reason: "ProvisioningFailed", Message: `storageclass "fast" not found`, InvolvedObject: corev1.ObjectReference{UID: "p"}},
		{Reason: "FailedMount", Message: "timed out", InvolvedObject: corev1.ObjectReference{Name: "db-0"}},
		{Reason: "FailedCreatePodSandBox", Message: "no IP addresses available", InvolvedObject: corev1.ObjectReference{Name: "db-1"}, Source: corev1.EventSource{Host: "n1"}},
		{Reason: "Unhealthy", Message: "probe failed", InvolvedObject: corev1.ObjectReference{Name: "db-1"}},
	}
	found := startProblemsIn(claims, events)
	wanted := []struct {
		code provision.Code
		says string
	}{
		{provision.CodeVolume, `volume claim data-0: is not bound: storageclass "fast" not found (ProvisioningFailed`},
		{provision.CodeVolume, "db-0: timed out (FailedMount"},
		{provision.CodeTimeout, "db-1: on node n1: no IP addresses available (FailedCreatePodSandBox"},
	}
	if len(found) != len(wanted) {
		t.Fatalf("found %+v", found)
	}
	for i, want := range wanted {
		if said := found[i].message(time.Minute); !strings.HasPrefix(said, want.says) || found[i].code != want.code {
			t.Errorf("%s: %q, want %s: %q…", found[i].code, said, want.code, want.says)
		}
	}
}

func TestAFullVolumeIsNamed(t *testing.T) {
	ended := corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: strings.Repeat("starting\n", 200) + "Error writing file (Errcode: 28 \"No space left on device\")"}
	pod := shopPod("new", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{looping(3, ended)}})
	claim := func(name string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "shop-" + name}}}
	}
	pod.Spec.Volumes = []corev1.Volume{claim("data"), claim("other"), {Name: "tmp"}}
	pod.Spec.Containers = []corev1.Container{{Name: "setup", VolumeMounts: []corev1.VolumeMount{{Name: "data"}, {Name: "tmp"}}}}
	found := podProblems(pod)
	if len(found) != 1 || found[0].code != provision.CodeVolume || !strings.HasSuffix(found[0].text, `No space left on device"); full is one of the volume claims shop-data`) {
		t.Errorf("found %+v", found)
	}
}

func TestAPodThatDoesNotEndIsNamedWithItsNode(t *testing.T) {
	old := shopPod("old", corev1.PodStatus{Phase: corev1.PodRunning})
	old.Spec.NodeName, old.DeletionTimestamp = "n1", &metav1.Time{Time: noon}
	v := rollout(old)
	if found := v.overduePods(noon.Add(overdueGrace - time.Second)); len(found) != 0 {
		t.Errorf("it may still end: %+v", found)
	}
	found := v.overduePods(noon.Add(overdueGrace))
	if len(found) != 1 || found[0].message(time.Minute) != "shop-old-x: does not end on node n1, which may be gone (Terminating for 1m0s)" {
		t.Errorf("found %+v", found)
	}
	w := newWaiting(time.Minute)
	if o := w.evaluate(v, noon.Add(time.Minute)); !o.deadlineExceeded || len(o.problems) != 1 {
		t.Errorf("at the deadline: %+v", o)
	}
}
