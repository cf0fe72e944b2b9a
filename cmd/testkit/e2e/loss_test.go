//go:build devcluster

package e2e

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
	"orchestrator/worker/redisconn"
)

// delivered reports whether the namespace carries the annotation that the outcome was delivered.
func (w world) delivered(s provision.Request) bool {
	ns, err := w.k.CoreV1().Namespaces().Get(context.Background(), s.Namespace, metav1.GetOptions{})
	return err == nil && ns.Annotations["orchestrator/delivered"] != ""
}

// loseRedis makes the Redis of the installation lose all its data.
func (r *rig) loseRedis() {
	r.t.Helper()
	client, err := redisconn.Connect(r.redis, redisconn.FailFast, redisconn.TLSOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	if err := client.FlushAll(context.Background()).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// Redis loses everything when one store is READY and another is being provisioned: the records come back from the cluster, no
// outcome is delivered twice, and the provision ends.
func TestRedisLosesEverything(t *testing.T) {
	t.Parallel()
	r, w, done, begun := newRig(t), newWorld(t), store(t, "woocommerce"), store(t, "medusa")
	r.start("worker")
	generation := r.submit(done)
	ready := r.awaitStatus(done.StoreID, provision.StatusReady, 1)
	r.eventually("the cluster records that READY was delivered", soonEnough, func() bool { return w.delivered(done) })
	r.submit(begun)
	r.eventually("the release is being applied", soonEnough, func() bool { return r.began(begun.StoreID, provision.StepRelease) })

	r.loseRedis()
	r.awaitStatus(begun.StoreID, provision.StatusReady, 1)
	if got := r.state(done.StoreID); got.Status != provision.StatusReady || got.Generation != generation || got.PendingCallbacks != 0 {
		t.Errorf("the store that was READY is %s in generation %d with %d pending callbacks; was READY in %d", got.Status, got.Generation, got.PendingCallbacks, generation)
	}
	if n := len(r.backend.of(done.StoreID)); n != 1 {
		t.Errorf("its READY was delivered %d times", n)
	}
	r.submit(done)
	if again := r.awaitStatus(done.StoreID, provision.StatusReady, 2); again.Password != ready.Password {
		t.Error("the password changed")
	}
	r.remove(done.StoreID)
	r.remove(begun.StoreID)
	r.eventually("nothing is left open", soonEnough, func() bool { return r.state(begun.StoreID).PendingCallbacks == 0 })
}
