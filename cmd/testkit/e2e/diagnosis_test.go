//go:build realcluster

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// diagnosis is what an operator would look at first in a store that does not work: its pods, the ends of their
// logs, and what the cluster warns of.
func (w world) diagnosis(s provision.Request) string {
	var text strings.Builder
	pods, err := w.k.CoreV1().Pods(s.Namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return fmt.Sprintf("the store's pods cannot be listed: %v", err)
	}
	for _, pod := range pods.Items {
		fmt.Fprintf(&text, "pod %s is %s\n", pod.Name, pod.Status.Phase)
		for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			fmt.Fprintf(&text, "  container %s (%s) %s, %d restarts\n%s", c.Name, c.Image, stateOf(c), c.RestartCount, w.tail(pod, c))
		}
	}
	events, err := w.k.CoreV1().Events(s.Namespace).List(context.Background(), metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return text.String()
	}
	for _, e := range events.Items {
		fmt.Fprintf(&text, "event %s %s: %s: %s\n", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
	}
	return text.String()
}

func stateOf(c corev1.ContainerStatus) string {
	switch state := c.State; {
	case state.Waiting != nil:
		return "waits: " + state.Waiting.Reason + " " + state.Waiting.Message
	case state.Terminated != nil:
		return fmt.Sprintf("ended with %d %s", state.Terminated.ExitCode, state.Terminated.Message)
	case c.Ready:
		return "is ready"
	}
	return "runs, not ready"
}

// tail is the end of a container's log, and of the run before where there was one.
func (w world) tail(pod corev1.Pod, c corev1.ContainerStatus) string {
	lines := int64(25)
	var text strings.Builder
	for _, previous := range []bool{true, false} {
		if previous && c.RestartCount == 0 {
			continue
		}
		options := &corev1.PodLogOptions{Container: c.Name, TailLines: &lines, Previous: previous}
		log, err := w.k.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(context.Background())
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(log)) {
			fmt.Fprintf(&text, "    | %s\n", strings.TrimRight(line, "\n"))
		}
	}
	return text.String()
}
