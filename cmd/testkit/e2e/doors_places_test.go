//go:build realcluster

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// place is where connections are tried from.
type place struct {
	name string
	port int32 // what the pod itself listens on; 0 is nothing
	run  func(ctx context.Context, script string) (string, error)
}

// doorsContainer is the container that connections are tried from: most of the pods have no shell.
const doorsContainer = "doors"

// placeIn is a pod that runs already. It gets an ephemeral container, which shares its network and so what the policies say of it.
func (d *doors) placeIn(name string, pod corev1.Pod, port int32) place {
	d.t.Helper()
	pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: doorsContainer, Image: d.image, ImagePullPolicy: corev1.PullIfNotPresent, Command: idle, SecurityContext: restricted(),
	}})
	if _, err := d.k.CoreV1().Pods(pod.Namespace).UpdateEphemeralContainers(context.Background(), pod.Name, &pod, metav1.UpdateOptions{}); err != nil {
		d.t.Fatalf("pod %s/%s gets no ephemeral container: %v", pod.Namespace, pod.Name, err)
	}
	return d.started(name, pod, port)
}

// newPlace is a pod of its own that does nothing.
func (d *doors) newPlace(name, namespace string, onNode bool) place {
	d.t.Helper()
	none := int64(0)
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "doors-" + strings.ToLower(name), Namespace: namespace}, Spec: corev1.PodSpec{
		HostNetwork: onNode, AutomountServiceAccountToken: new(bool), TerminationGracePeriodSeconds: &none,
		Containers: []corev1.Container{{Name: doorsContainer, Image: d.image, ImagePullPolicy: corev1.PullIfNotPresent, Command: idle, SecurityContext: restricted()}},
	}}
	if onNode {
		pod.Spec.NodeName = d.node.Name
	}
	made, err := d.k.CoreV1().Pods(namespace).Create(context.Background(), &pod, metav1.CreateOptions{})
	if err != nil {
		d.t.Fatalf("pod %s/%s cannot be made: %v", namespace, pod.Name, err)
	}
	return d.started(name, *made, 0)
}

var idle = []string{"sleep", "86400"}

func restricted() *corev1.SecurityContext {
	yes, no, user := true, false, int64(65532)
	return &corev1.SecurityContext{RunAsNonRoot: &yes, RunAsUser: &user, AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
}

// started waits until the pod's container for the test runs.
func (d *doors) started(name string, pod corev1.Pod, port int32) place {
	d.t.Helper()
	d.until("container "+doorsContainer+" of pod "+pod.Namespace+"/"+pod.Name+" runs", d.options.timeout, func() bool {
		now, err := d.k.CoreV1().Pods(pod.Namespace).Get(context.Background(), pod.Name, metav1.GetOptions{})
		return err == nil && slices.ContainsFunc(slices.Concat(now.Status.ContainerStatuses, now.Status.EphemeralContainerStatuses), func(c corev1.ContainerStatus) bool {
			return c.Name == doorsContainer && c.State.Running != nil
		})
	})
	return place{name, port, func(ctx context.Context, script string) (string, error) { return d.exec(ctx, pod, script) }}
}

// exec runs a script of bash in the pod's container for the test, and returns what it prints.
func (d *doors) exec(ctx context.Context, pod corev1.Pod, script string) (string, error) {
	url := d.k.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: doorsContainer, Command: []string{"bash", "-c", script}, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
	config, err := clientcmd.BuildConfigFromFlags("", must(d.t, "ORCH_TEST_KUBECONFIG"))
	if err != nil {
		return "", err
	}
	socket, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	if err != nil {
		return "", err
	}
	old, err := remotecommand.NewSPDYExecutor(config, "POST", url)
	if err != nil {
		return "", err
	}
	both, err := remotecommand.NewFallbackExecutor(socket, old, httpstream.IsUpgradeFailure)
	if err != nil {
		return "", err
	}
	var out, wrong bytes.Buffer
	if err = both.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &wrong}); err != nil {
		err = fmt.Errorf("exec in pod %s/%s: %w: %s", pod.Namespace, pod.Name, err, wrong.String())
	}
	return out.String(), err
}

// commandPlace is where a command on this machine leads: `ip netns exec …`, `ssh …`, or nothing for this machine itself.
func commandPlace(name string, command []string) place {
	return place{name, 0, func(ctx context.Context, script string) (string, error) {
		words := slices.Concat(command, []string{"bash", "-c", script})
		out, err := exec.CommandContext(ctx, words[0], words[1:]...).Output()
		return string(out), err
	}}
}

// component is the running pod of a component of a release.
func (d *doors) component(namespace, instance, component string) corev1.Pod {
	d.t.Helper()
	selector := labels.Set{"app.kubernetes.io/instance": instance, "app.kubernetes.io/component": component}.String()
	list, err := d.k.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, pod := range list.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			return pod
		}
	}
	d.t.Fatalf("no pod of %s runs in namespace %s (%s)", component, namespace, selector)
	return corev1.Pod{}
}

func (d *doors) until(what string, within time.Duration, holds func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("not within %s: %s", within, what)
		}
	}
}
