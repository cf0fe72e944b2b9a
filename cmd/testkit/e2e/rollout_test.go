//go:build devcluster

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// withImage is the environment of a worker whose installation's values name another image of the shop.
func withImage(t *testing.T, tag string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yaml")
	text := fmt.Sprintf("images:\n  static: {tag: %q}\n  wordpress: {tag: %q}\n", tag, tag)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "STORE_VALUES_FILE=" + path
}

// tagOf is the tag of the shop's image.
func (w world) tagOf(s provision.Request) string {
	w.t.Helper()
	d, err := w.k.AppsV1().Deployments(s.Namespace).Get(context.Background(), s.Name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	image := d.Spec.Template.Spec.Containers[0].Image
	return image[strings.LastIndex(image, ":")+1:]
}

// fleet are n stores that are READY.
func (r *rig) fleet(n int) []provision.Request {
	r.t.Helper()
	stores := make([]provision.Request, n)
	for i := range stores {
		stores[i] = store(r.t, "woocommerce")
		stores[i].CreatorID = strconv.Itoa(i)
		r.submit(stores[i])
	}
	for _, s := range stores {
		r.awaitStatus(s.StoreID, provision.StatusReady, 1)
	}
	return stores
}

// rolloutSize is how many stores a rollout of the test has; ORCH_TEST_ROLLOUT is for longer ones.
func rolloutSize() int {
	if n, err := strconv.Atoi(os.Getenv("ORCH_TEST_ROLLOUT")); err == nil {
		return n
	}
	return 5
}

// Every store gets the new image, although workers are killed all the time; the requests of customers that come meanwhile are carried out and told, and nothing
// else is.
func TestARolloutReachesEveryStore(t *testing.T) {
	t.Parallel()
	r, w := newRig(t), newWorld(t)
	r.patience *= 3
	before := withImage(t, "before")
	first := r.start("worker", before)
	stores := r.fleet(rolloutSize())
	first.end(syscall.SIGTERM)

	after := withImage(t, "after")
	workers := []*program{r.start("worker", after), r.start("worker", after)}
	stores[0].Settings.Title = "Before the rollout"
	r.submit(stores[0])
	r.awaitStatus(stores[0].StoreID, provision.StatusReady, 2)
	if tag := w.tagOf(stores[0]); tag != "before" {
		t.Fatalf("a change of a title has brought image %q", tag)
	}

	r.cli("rollout", "start", "woocommerce", "--waves", "1,50%", "--soak", "1s", "--parallel", "5", "--max-failures", "0")
	told := map[string]int{stores[0].StoreID: 2}
	for round := 0; ; round++ {
		o := r.rollout()
		if o.State == provision.RolloutDone {
			break
		}
		if o.State == provision.RolloutPaused || round > 1800 {
			t.Fatalf("the rollout is %+v", o)
		}
		if round%10 == 3 {
			victim := rand.IntN(len(workers))
			workers[victim].end(syscall.SIGKILL)
			workers[victim] = r.start("worker", after)
		}
		if round < len(stores) && round%3 == 0 { // a customer changes something
			s := &stores[round]
			s.Settings.Title = fmt.Sprint("During the rollout ", round)
			r.submit(*s)
			told[s.StoreID] = max(told[s.StoreID], 1) + 1
		}
		time.Sleep(time.Second)
	}
	for _, s := range stores {
		want := max(told[s.StoreID], 1)
		r.awaitStatus(s.StoreID, provision.StatusReady, want)
		if tag := w.tagOf(s); tag != "after" {
			t.Errorf("store %s has image %q", s.StoreID, tag)
		}
		if state := r.state(s.StoreID); state.Outdated || state.Edition == "" {
			t.Errorf("store %s: edition %q, outdated %t", s.StoreID, state.Edition, state.Outdated)
		}
		ids := map[string]bool{} // of callbacks: one whose worker is killed while it is delivered comes again
		for _, c := range r.backend.of(s.StoreID) {
			ids[c.ID] = true
		}
		if n := len(ids); n != want {
			t.Errorf("the backend was told %d times of store %s, want %d", n, s.StoreID, want)
		}
	}
	o := r.rollout()
	if o.Done != int64(len(stores)) || o.Failed+o.Skipped+o.Todo+o.Doing != 0 {
		t.Errorf("in the end: %+v", o)
	}
	t.Logf("%d stores in %s", len(stores), o.EndedAt.Sub(o.StartedAt))
}

// A wave with a broken image stops after its share: the stores that failed are taken back, and no other was touched.
func TestARolloutOfABrokenImageStops(t *testing.T) {
	long(t) // an image has a minute to come
	t.Parallel()
	r, w := newRig(t), newWorld(t)
	r.patience *= 3
	first := r.start("worker", withImage(t, "before"))
	stores := r.fleet(6)
	first.end(syscall.SIGTERM)
	r.start("worker", withImage(t, "missing"))
	r.cli("rollout", "start", "woocommerce", "--waves", "2,100%", "--soak", "1s", "--parallel", "2", "--max-failures", "1")
	r.eventually("the rollout pauses", 4*time.Minute, func() bool { return r.rollout().State == provision.RolloutPaused })
	o := r.rollout()
	if o.Failed != 2 || o.Done != 0 || o.Todo != 4 || o.Doing != 0 || len(o.Errors) != 2 {
		t.Errorf("%+v", o)
	}
	for id, why := range o.Errors {
		if !strings.Contains(why, "taken back, and its shop can be used") {
			t.Errorf("store %s: %s", id, why)
		}
	}
	for _, s := range stores {
		if tag := w.tagOf(s); tag != "before" {
			t.Errorf("store %s has image %q", s.StoreID, tag)
		}
		revisions := len(w.revisions(s))
		if _, failed := o.Errors[s.StoreID]; failed != (revisions > 1) {
			t.Errorf("store %s has %d revisions, failed %t", s.StoreID, revisions, failed)
		}
		if n := len(r.backend.of(s.StoreID)); n != 1 {
			t.Errorf("the backend was told %d times of store %s", n, s.StoreID)
		}
	}
	if text := r.cli("rollout", "abort"); !strings.Contains(text, "aborted") {
		t.Errorf("abort prints %s", text)
	}
}
