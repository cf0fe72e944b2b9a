//go:build realcluster

package e2e

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// ask requests something of the store that its record describes, and returns the generation.
func (tr *tour) ask(verb client.Verb) int64 {
	tr.rig.t.Helper()
	accepted, err := tr.rig.ask(tr.store.StoreID, verb)
	if err != nil {
		tr.rig.t.Fatalf("%s: %v", verb, err)
	}
	return accepted.Generation
}

// asBefore checks that the owner gets in with the password, and finds settings, order and picture.
func (tr *tour) asBefore() {
	tr.rig.t.Helper()
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.shopper.settings(owner, tr.store.Settings)
	tr.sees(owner)
}

// suspend stops the shop and starts it again.
func (tr *tour) suspend() string {
	begun := time.Now()
	tr.ask("suspend")
	tr.awaitStatus(tr.store.StoreID, provision.StatusSuspended, 1)
	stopped := time.Since(begun)
	if left := tr.pods(tr.store, "app.kubernetes.io/component!=test"); len(left) != 0 {
		tr.rig.t.Fatalf("SUSPENDED was delivered and there are still %d pods", len(left))
	}
	password, steps := tr.awaitReady(tr.ask("resume"))
	if password != tr.password {
		tr.rig.t.Fatal("the shop came back with another password")
	}
	tr.asBefore()
	return fmt.Sprintf("stopped in %.1f s; resumed: %s; order, picture and password are there", stopped.Seconds(), steps)
}

// rotate gives the running shop another password.
func (tr *tour) rotate() string {
	old, pod := tr.password, tr.shopPod(tr.store).UID
	password, steps := tr.awaitReady(tr.ask("rotate"))
	if password == old {
		tr.rig.t.Fatal("READY tells the password that the store had")
	}
	tr.password = password
	tr.shopper.locksOut(tr.visit(), old)
	tr.asBefore()
	if now := tr.shopPod(tr.store); now == nil || now.UID != pod {
		tr.rig.t.Fatal("the shop's pod was replaced")
	}
	return steps + "; the old one is refused, the pod is the same"
}

// changeByHand takes the shop's Service away and scales the shop to nothing. No request is made: an audit mends it.
func (tr *tour) changeByHand() string {
	ctx, told := context.Background(), len(tr.backend.of(tr.store.StoreID))
	if err := tr.k.CoreV1().Services(tr.store.Namespace).Delete(ctx, tr.store.Name, metav1.DeleteOptions{}); err != nil {
		tr.rig.t.Fatal(err)
	}
	_, err := tr.k.AppsV1().Deployments(tr.store.Namespace).Patch(ctx, tr.store.Name, types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
	if err != nil {
		tr.rig.t.Fatal(err)
	}
	tr.eventually("the Service is back, and a pod of the shop is ready", tr.options.timeout, func() bool {
		time.Sleep(500 * time.Millisecond)
		_, err := tr.k.CoreV1().Services(tr.store.Namespace).Get(ctx, tr.store.Name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			tr.rig.t.Fatal(err)
		}
		return err == nil && tr.shopPod(tr.store) != nil
	})
	tr.awaitWay()
	tr.asBefore()
	if now := len(tr.backend.of(tr.store.StoreID)); now != told {
		tr.rig.t.Fatalf("the backend was told %d times of it", now-told)
	}
	return "Service and pod are back; the backend was told nothing"
}

// rollOut brings the images of NEXT_IMAGES to the store.
func (tr *tour) rollOut() string {
	next := tr.options
	next.images = maps.Clone(next.images)
	changed := 0
	for key, image := range tr.options.next {
		if next.images[key] = image; key.engine == tr.store.Engine {
			changed++
		}
	}
	if changed == 0 {
		return "left out: NEXT_IMAGES names none of this engine"
	}
	tr.worker.end(syscall.SIGTERM)
	tr.worker = tr.start("worker", "STORE_VALUES_FILE="+next.valuesFile(tr.rig.t, tr.store.Engine))
	told := len(tr.backend.of(tr.store.StoreID))
	tr.cli("rollout", "start", tr.store.Engine, "--waves", "100%", "--soak", "1s")
	var o provision.Rollout
	tr.eventually("the rollout is over", tr.options.timeout, func() bool {
		time.Sleep(500 * time.Millisecond)
		o = tr.rollout()
		return o.State == provision.RolloutDone || o.State == provision.RolloutPaused
	})
	if o.State != provision.RolloutDone || o.Done != 1 {
		tr.rig.t.Fatalf("the rollout is %+v", o)
	}
	var running []string
	for _, pod := range tr.pods(tr.store, "") {
		for _, c := range pod.Spec.Containers {
			running = append(running, c.Image)
		}
	}
	for key, image := range tr.options.next {
		if key.engine == tr.store.Engine && !strings.Contains(strings.Join(running, " "), image) {
			tr.rig.t.Fatalf("%s does not run; the images are %v", image, running)
		}
	}
	tr.asBefore()
	before := tr.order
	tr.order = tr.guestOrders()
	tr.asBefore()
	if now := len(tr.backend.of(tr.store.StoreID)); now != told {
		tr.rig.t.Fatalf("the backend was told %d times of it", now-told)
	}
	return fmt.Sprintf("order %s of before is there, order %s was made since; the backend was told nothing", before, tr.order)
}
