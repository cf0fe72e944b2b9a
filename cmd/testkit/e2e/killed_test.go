//go:build realcluster

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// databases are the components that hold what a shop has sold.
var databases = map[string]string{"woocommerce": "mariadb", "medusa": "postgres"}

func (tr *tour) database() string {
	return "app.kubernetes.io/component=" + databases[tr.store.Engine]
}

// allPods leaves out that of `helm test`, which has ended.
func (tr *tour) allPods() string {
	return "app.kubernetes.io/component!=test,app.kubernetes.io/instance=" + tr.store.Name
}

func (tr *tour) guestOrders() string {
	tr.rig.t.Helper()
	v := tr.visit()
	return tr.checkout(v, tr.shopper.fill(v))
}

// checkout is the way of a guest from a filled basket to the order, whose id it returns.
func (tr *tour) checkout(v *visitor, basket string) string {
	tr.rig.t.Helper()
	tr.shopper.addresses(v, basket)
	id, err := tr.shopper.place(v, basket)
	if err != nil {
		tr.rig.t.Fatal(err)
	}
	return id
}

// survives has something happen to the shop while a guest's basket is filled. It returns what happened, and whether the pods have got over it; then the shop
// is back by itself, with the basket, the orders and the picture.
func (tr *tour) survives(happen func() (what string, over func() bool)) string {
	t := tr.rig.t
	t.Helper()
	basket, earlier := tr.shopper.fill(tr.visit()), tr.order
	begun := time.Now()
	what, over := happen()
	tr.eventually("the pods are back", tr.options.timeout, func() bool {
		time.Sleep(100 * time.Millisecond)
		return over() && tr.shopPod(tr.store) != nil
	})
	back := time.Since(begun)
	tr.awaitWay()
	tr.order = tr.checkout(tr.visit(), basket)
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.sees(owner)
	if !tr.shopper.orders(owner)[earlier] {
		t.Fatalf("the order %s of before is gone", earlier)
	}
	return fmt.Sprintf("%s, back after %.1f s; the basket became order %s, and what was there is there", what, back.Seconds(), tr.order)
}

// kill ends the pods that the selector takes.
func (tr *tour) kill(selector string) string {
	tr.rig.t.Helper()
	return tr.survives(func() (string, func() bool) {
		killed := tr.endPods(selector)
		return fmt.Sprintf("%d ended", len(killed)), func() bool { return tr.replaced(selector, killed) }
	})
}

// ordersTwice are the engines that make two orders of a basket where a guest got no answer, since the database ended between the order and the emptied basket,
// and orders again.
var ordersTwice = map[string]bool{"woocommerce": true}

// killMidOrder ends the database while several guests order. Those that got no answer ask again: each basket becomes an order, and no order is lost that a guest
// was told of.
func (tr *tour) killMidOrder() string {
	const guests = 6
	t := tr.rig.t
	t.Helper()
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	earlier := tr.shopper.orders(owner)
	visitors, baskets, ids := make([]*visitor, guests), make([]string, guests), make([]string, guests)
	for i := range guests {
		visitors[i] = tr.visit()
		baskets[i] = tr.shopper.fill(visitors[i])
		tr.shopper.addresses(visitors[i], baskets[i])
	}
	var all sync.WaitGroup
	for i := range guests {
		all.Go(func() {
			time.Sleep(time.Duration(i) * 150 * time.Millisecond) // so that some have their answer when the database ends, and some have not
			ids[i], _ = tr.shopper.place(visitors[i], baskets[i])
		})
	}
	time.Sleep(500 * time.Millisecond)
	killed := tr.endPods(tr.database())
	all.Wait()
	answered := guests - count(ids, "")
	tr.eventually("the database is back", tr.options.timeout, func() bool {
		time.Sleep(100 * time.Millisecond)
		return tr.replaced(tr.database(), killed) && tr.shopPod(tr.store) != nil
	})
	tr.awaitWay()
	for i := range guests {
		if ids[i] == "" {
			ids[i], _ = tr.shopper.place(tr.visit(), baskets[i]) // one that was ordered before says so, or says which order it is
		}
	}
	owner = tr.visit()
	tr.shopper.login(owner, tr.password)
	now := tr.shopper.orders(owner)
	for _, id := range ids {
		if id != "" && !now[id] {
			t.Fatalf("a guest was told of the order %s, which is not there", id)
		}
	}
	twice := len(now) - len(earlier) - guests
	if most := guests - answered; twice < 0 || twice > most || twice > 0 && !ordersTwice[tr.store.Engine] {
		t.Fatalf("%d baskets became %d orders; %d guests had no answer", guests, guests+twice, most)
	}
	return fmt.Sprintf("%d of %d guests had their answer; each basket became an order, %d of them two", answered, guests, twice)
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// replaced says whether there are as many pods as before, ready, and others.
func (tr *tour) replaced(selector string, before map[types.UID]bool) bool {
	now := tr.pods(tr.store, selector)
	return len(now) == len(before) && !slices.ContainsFunc(now, func(pod corev1.Pod) bool { return before[pod.UID] || !isReady(pod) })
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

// restartNode runs the command that restarts the nodes. Their pods are the same afterwards, with other containers.
func (tr *tour) restartNode() string {
	if tr.options.restartNode == "" {
		return "LEFT OUT: RESTART_NODE names no command"
	}
	return tr.survives(func() (string, func() bool) {
		before := tr.containers()
		if out, err := exec.Command("sh", "-c", tr.options.restartNode).CombinedOutput(); err != nil {
			tr.rig.t.Fatalf("RESTART_NODE: %v\n%s", err, out)
		}
		return fmt.Sprintf("%d containers ended", len(before)), func() bool {
			now := tr.containers()
			return len(now) >= len(before) && !slices.ContainsFunc(now, func(id string) bool { return slices.Contains(before, id) })
		}
	})
}

// containers are the ids of the containers of the store's ready pods.
func (tr *tour) containers() (ids []string) {
	for _, pod := range tr.pods(tr.store, tr.allPods()) {
		for _, c := range pod.Status.ContainerStatuses {
			if isReady(pod) {
				ids = append(ids, c.ContainerID)
			}
		}
	}
	return ids
}

// drain evicts the store's pods from their node, as `kubectl drain` does, where they have another one to go to.
func (tr *tour) drain() string {
	t := tr.rig.t
	nodes, err := tr.k.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) < 2 {
		return "LEFT OUT: the cluster has one node"
	}
	from := tr.shopPod(tr.store).Spec.NodeName
	tr.cordon(from, true)
	defer tr.cordon(from, false)
	return tr.survives(func() (string, func() bool) {
		evicted := map[types.UID]bool{}
		for _, pod := range tr.pods(tr.store, tr.allPods()) {
			eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}}
			if err := tr.k.CoreV1().Pods(pod.Namespace).EvictV1(context.Background(), eviction); err != nil {
				t.Fatalf("pod %s is not evicted: %v", pod.Name, err)
			}
			evicted[pod.UID] = true
		}
		return fmt.Sprintf("%d evicted from %s", len(evicted), from), func() bool {
			return tr.replaced(tr.allPods(), evicted) && !slices.Contains(tr.nodesOf(tr.store), from)
		}
	})
}

// cordon keeps new pods off a node, or lets them on it again.
func (tr *tour) cordon(node string, closed bool) {
	tr.rig.t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, closed)
	if _, err := tr.k.CoreV1().Nodes().Patch(context.Background(), node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		tr.rig.t.Fatal(err)
	}
}
