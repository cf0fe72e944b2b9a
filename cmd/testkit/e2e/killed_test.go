//go:build realcluster

package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// databases are the components that hold what a shop has sold.
var databases = map[string]string{"woocommerce": "mariadb", "medusa": "postgres"}

func (tr *tour) guestOrders() string {
	tr.rig.t.Helper()
	v := tr.visit()
	return tr.shopper.checkout(v, tr.shopper.fill(v))
}

// kill ends the pods that the selector takes, as the loss of a node does, while a guest's basket is filled. The shop comes back by itself, with the basket,
// the orders and the picture.
func (tr *tour) kill(selector string) string {
	t := tr.rig.t
	t.Helper()
	basket, earlier := tr.shopper.fill(tr.visit()), tr.order
	begun, killed := time.Now(), tr.endPods(selector)
	tr.eventually("the pods are back", tr.options.timeout, func() bool {
		time.Sleep(100 * time.Millisecond)
		now := tr.pods(tr.store, selector)
		return len(now) == len(killed) && !slices.ContainsFunc(now, func(pod corev1.Pod) bool { return killed[pod.UID] || !isReady(pod) }) && tr.shopPod(tr.store) != nil
	})
	back := time.Since(begun)
	tr.awaitWay()
	tr.order = tr.shopper.checkout(tr.visit(), basket)
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.sees(owner)
	if !tr.shopper.orders(owner)[earlier] {
		t.Fatalf("the order %s of before is gone", earlier)
	}
	return fmt.Sprintf("%d ended, back after %.1f s; the basket became order %s, and what was there is there", len(killed), back.Seconds(), tr.order)
}

// endPods has the pods stop within a second, which is less than any of them needs to stop by itself, and returns their UIDs.
func (tr *tour) endPods(selector string) map[types.UID]bool {
	t := tr.rig.t
	t.Helper()
	ended, second := map[types.UID]bool{}, int64(1)
	for _, pod := range tr.pods(tr.store, selector) {
		if err := tr.k.CoreV1().Pods(pod.Namespace).Delete(context.Background(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &second}); err != nil {
			t.Fatal(err)
		}
		ended[pod.UID] = true
	}
	if len(ended) == 0 {
		t.Fatalf("no pod has %s", selector)
	}
	return ended
}
