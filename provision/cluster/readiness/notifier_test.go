package readiness

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNotifierNotifiesTheNamespaceOfAnEvent(t *testing.T) {
	n := newNotifier()
	mine, unsubscribe := n.subscribe("a")
	other, unsubscribeOther := n.subscribe("b")
	defer unsubscribeOther()
	h := n.handler()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "x"}}
	h.OnAdd(pod, false)
	h.OnUpdate(pod, pod)
	h.OnDelete(pod)
	if len(mine) != 1 || len(other) != 0 {
		t.Errorf("notified %d times for the namespace, %d for the other; want 1 and 0", len(mine), len(other))
	}
	unsubscribe()
	n.notify("a")
	if len(n.subscribers) != 1 {
		t.Errorf("%d namespaces are listened to, want 1", len(n.subscribers))
	}
}
