//go:build realcluster

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"orchestrator/provision"
)

// shopPod is the ready pod behind the shop's Service, nil while there is none.
func (w world) shopPod(s provision.Request) *corev1.Pod {
	w.t.Helper()
	ctx := context.Background()
	service, err := w.k.CoreV1().Services(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatalf("the shop's Service: %v", err)
	}
	for _, pod := range w.pods(s, labels.SelectorFromSet(service.Spec.Selector).String()) {
		if isReady(pod) && pod.DeletionTimestamp == nil {
			return &pod
		}
	}
	return nil
}

func isReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// logs calls see with what each container of the store's pods has logged, or with why it cannot be read.
func (w world) logs(s provision.Request, see func(pod, container, text string, err error)) {
	w.t.Helper()
	for _, pod := range w.pods(s, "") {
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			text, err := w.k.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: c.Name}).DoRaw(context.Background())
			see(pod.Name, c.Name, string(text), err)
		}
	}
}

func (w world) pods(s provision.Request, selector string) []corev1.Pod {
	w.t.Helper()
	list, err := w.k.CoreV1().Pods(s.Namespace).List(context.Background(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// deletePod deletes the shop's pod and returns its UID.
func (w world) deletePod(s provision.Request) types.UID {
	w.t.Helper()
	pod := w.shopPod(s)
	if pod == nil {
		w.t.Fatal("the shop has no ready pod to delete")
	}
	if err := w.k.CoreV1().Pods(s.Namespace).Delete(context.Background(), pod.Name, metav1.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
	return pod.UID
}

// volumes are the persistent volumes that are bound to claims of the store, as name and reclaim policy.
func (w world) volumes(s provision.Request) map[string]corev1.PersistentVolumeReclaimPolicy {
	w.t.Helper()
	list, err := w.k.CoreV1().PersistentVolumes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[string]corev1.PersistentVolumeReclaimPolicy{}
	for _, v := range list.Items {
		if v.Spec.ClaimRef != nil && v.Spec.ClaimRef.Namespace == s.Namespace {
			found[v.Name] = v.Spec.PersistentVolumeReclaimPolicy
		}
	}
	return found
}

// forward opens a port-forward to the shop's pod, until the test ends or the pod does, and returns its local address.
func (w world) forward(s provision.Request) string {
	w.t.Helper()
	pod := w.shopPod(s)
	if pod == nil {
		w.t.Fatal("the shop's Service has no ready pod")
	}
	return w.forwardTo(pod, shopPort(pod))
}

// forwardTo opens a port-forward to a port of a pod, until the test ends or the pod does, and returns its local address.
func (w world) forwardTo(pod *corev1.Pod, port int32) string {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	ready := make(chan struct{})
	f, err := portforward.NewOnAddressesForStreamingWithContext(ctx, w.dialer(pod), []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, ready, io.Discard, io.Discard)
	if err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		w.t.Fatalf("a port-forward to pod %s ended at once: %v", pod.Name, err)
	case <-time.After(time.Minute):
		w.t.Fatalf("a port-forward to pod %s does not come about", pod.Name)
	}
	ports, err := f.GetPorts()
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local)
}

func shopPort(pod *corev1.Pod) int32 {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == "http" {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// dialer connects by WebSocket, and by SPDY to clusters that do not know that.
func (w world) dialer(pod *corev1.Pod) httpstream.Dialer {
	w.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", must(w.t, "ORCH_TEST_KUBECONFIG"))
	if err != nil {
		w.t.Fatal(err)
	}
	url := w.k.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	socket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, config)
	if err != nil {
		w.t.Fatal(err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		w.t.Fatal(err)
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	return portforward.NewFallbackDialerForStreaming(socket, old, httpstream.IsUpgradeFailure)
}

// memory is what the store's containers hold in memory, as their nodes count it ("wordpress 81 MiB, …").
func (w world) memory(s provision.Request) string {
	var seen []string
	total := uint64(0)
	for _, node := range w.nodesOf(s) {
		text, err := w.k.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes/" + node + "/proxy/stats/summary").DoRaw(context.Background())
		if err != nil {
			return fmt.Sprintf("not measured: the node's /stats/summary does not answer (%s)", apierrors.ReasonForError(err))
		}
		var summary struct {
			Pods []struct {
				PodRef     struct{ Namespace string }
				Containers []struct {
					Name   string
					Memory struct{ WorkingSetBytes uint64 }
				}
			}
		}
		if err := json.Unmarshal(text, &summary); err != nil {
			return "not measured: the node's /stats/summary is not understood"
		}
		for _, pod := range summary.Pods {
			for _, c := range pod.Containers {
				if pod.PodRef.Namespace == s.Namespace && c.Memory.WorkingSetBytes > 0 {
					seen = append(seen, fmt.Sprintf("%s %d", c.Name, c.Memory.WorkingSetBytes>>20))
					total += c.Memory.WorkingSetBytes
				}
			}
		}
	}
	slices.Sort(seen)
	return fmt.Sprintf("%s; together %d MiB", strings.Join(seen, ", "), total>>20)
}

// ended says that a pod has nothing left to do, as that of `helm test`.
func ended(pod corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func (w world) nodesOf(s provision.Request) (nodes []string) {
	for _, pod := range w.pods(s, "") {
		if n := pod.Spec.NodeName; n != "" && !ended(pod) && !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (w world) deleteNamespace(name string) {
	if err := w.k.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
		w.t.Logf("the namespace %s is left behind: %v", name, err)
	}
}
