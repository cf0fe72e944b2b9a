package readiness

import (
	"errors"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"orchestrator/provision"
)

func TestWatcherAsksTheAPIServerBeforeItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testStore(1)
		w, _ := startedWatcher(t, s)
		w.client = fake.NewClientset(shopDeployment(s, 1)) // what the informers would show if they were not behind
		start := time.Now()
		if err := w.Wait(t.Context(), s, start.Add(5*time.Minute)); err != nil {
			t.Errorf("a store that is ready ended with %v", err)
		}
	})
}

func TestWatcherFailsNoStoreWithoutAPIServer(t *testing.T) {
	for what, deadline := range map[string]time.Duration{"at the deadline": time.Minute, "when an image was missing for long": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := testStore(1)
			w, client := startedWatcher(t, s)
			if err := client.Tracker().Add(replicaSet("new", "1")); err != nil {
				t.Fatal(err)
			}
			if err := client.Tracker().Add(shopPod("new", waitingFor("ImagePullBackOff", "not found"))); err != nil {
				t.Fatal(err)
			}
			err := awayAfter(w, time.Now().Add(30*time.Second)).Wait(t.Context(), s, time.Now().Add(deadline))
			if provision.CodeOf(err) != provision.CodeUnavailable {
				t.Errorf("%s: %v, want unavailable", what, err)
			}
		})
	}
}

// awayAfter is the watcher with an API server that lists nothing any more after a moment; what the informers saw stays.
func awayAfter(w *Watcher, then time.Time) *Watcher {
	client := w.client.(*fake.Clientset)
	away := fake.NewClientset()
	away.ReactionChain = append([]clienttesting.Reactor{&clienttesting.SimpleReactor{Verb: "list", Resource: "*",
		Reaction: func(clienttesting.Action) (bool, runtime.Object, error) {
			if time.Now().Before(then) {
				return false, nil, nil
			}
			return true, nil, &url.Error{Op: "Get", URL: "/", Err: errors.New("connection refused")}
		}}}, client.ReactionChain...)
	return &Watcher{client: away, cache: w.cache, clock: w.clock}
}
