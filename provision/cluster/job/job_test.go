package job

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// The fake API server does not stream what it has at the beginning of a watch, as a real one does.
func TestMain(m *testing.M) {
	if err := os.Setenv("KUBE_FEATURE_WatchListClient", "false"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func testPod() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shop-backup", Namespace: "store"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "backup"}, {Name: "beside"}}}}
}

// ended is the status of a pod whose two containers have ended; code and message are those of the first one.
func ended(phase corev1.PodPhase, code int32, message string) corev1.PodStatus {
	one := func(name string, code int32, message string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: message}}}
	}
	return corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{one("beside", 0, "not asked for"), one("backup", code, message)}}
}

// cluster is an API server whose pods end as they are made, the n-th one with the n-th status, and then with the last.
func cluster(t *testing.T, statuses ...corev1.PodStatus) *kube.Client {
	t.Helper()
	api, err := kube.New(kube.Config{Log: slog.New(slog.DiscardHandler)}, &rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	client := fake.NewClientset()
	made := 0
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		pod := action.(clienttesting.CreateAction).GetObject().(*corev1.Pod)
		pod.Status = statuses[min(made, len(statuses)-1)]
		made++
		return false, nil, nil // and so it is kept
	})
	api.Clientset = client
	return api
}

func TestRunReturnsTheMessageOfThePod(t *testing.T) {
	failed := ended(corev1.PodFailed, 1, "the database does not answer")
	for name, statuses := range map[string][]corev1.PodStatus{
		"at once":             {ended(corev1.PodSucceeded, 0, "what it has done")},
		"after two that fail": {failed, failed, ended(corev1.PodSucceeded, 0, "what it has done")},
	} {
		t.Run(name, func(t *testing.T) {
			api := cluster(t, statuses...)
			message, err := Run(t.Context(), api, testPod(), time.Now().Add(time.Minute))
			if err != nil || message != "what it has done" {
				t.Errorf("%q, %v", message, err)
			}
			left, err := api.Clientset.CoreV1().Pods("store").List(t.Context(), metav1.ListOptions{})
			if err != nil || len(left.Items) > 0 {
				t.Errorf("%d pods are left: %v", len(left.Items), err)
			}
		})
	}
}

func TestRunOfAPodThatSaysNothing(t *testing.T) {
	api := cluster(t, corev1.PodStatus{Phase: corev1.PodSucceeded})
	if message, err := Run(t.Context(), api, testPod(), time.Now().Add(time.Minute)); err != nil || message != "" {
		t.Errorf("%q, %v", message, err)
	}
}

// TestRunSaysWhyAPodFails: the end of its message, since that is the end of a log.
func TestRunSaysWhyAPodFails(t *testing.T) {
	api := cluster(t, ended(corev1.PodFailed, 1, strings.Repeat("a line before that\n", 500)+"the database does not answer; password=hunter2"))
	message, err := Run(t.Context(), api, testPod(), time.Now().Add(time.Minute))
	text := provision.Public(err)
	if provision.CodeOf(err) != provision.CodeCrash || message != "" || !strings.Contains(text, "pod shop-backup failed 3 times: container backup ended") ||
		!strings.Contains(text, "the database does not answer") || strings.Contains(text, "hunter2") || len(text) > 600 {
		t.Errorf("%q, %v", message, err)
	}
}
