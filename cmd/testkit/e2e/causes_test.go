//go:build realcluster

package e2e

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"helm.sh/helm/v3/pkg/chartutil"

	"orchestrator/provision"
)

// What a store cannot get over by itself is told with its cause, and with that gone, the same request makes it READY. Each engine meets each cause.
func TestCausesAreNamed(t *testing.T) {
	o, err := optionsOf(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	o.timeout = max(o.timeout, 6*time.Minute) // a container that ends again and again is given up at its fifth end
	for _, engine := range o.engines {
		if shoppers[engine] == nil {
			continue
		}
		t.Run(engine+", too little memory", func(t *testing.T) { tooLittleMemory(t, o, engine) })
		t.Run(engine+", full volumes", func(t *testing.T) { fullVolumes(t, o, engine) })
	}
}

// shopContainers are the keys of resources of the shops' own containers.
var shopContainers = map[string]string{"woocommerce": "wordpress", "medusa": "medusa"}

func tooLittleMemory(t *testing.T, o options, engine string) {
	little := map[string]any{"resources": map[string]any{shopContainers[engine]: map[string]any{
		"requests": map[string]any{"memory": "24Mi"}, "limits": map[string]any{"memory": "40Mi"},
	}}}
	o.values = chartutil.MergeTables(little, o.values)
	tr := newTour(t, o, &report{}, engine)
	tr.worker = tr.start("worker")
	tr.failsFor(regexp.MustCompile(`(?i)memory|OOMKilled`))
}

// failsFor posts the store and checks the cause in the outcome, which the caller and `orchestrator show` have in common.
func (tr *tour) failsFor(cause *regexp.Regexp) {
	t := tr.rig.t
	t.Helper()
	before := len(tr.backend.of(tr.store.StoreID))
	tr.submit(tr.store)
	last := tr.outcomeAfter(before)
	if last.Status != provision.StatusFailed || !cause.MatchString(last.Error) {
		t.Fatalf("the outcome is %s: %s; want the cause %s", last.Status, last.Error, cause)
	}
	if shown := tr.cli("show", tr.store.StoreID); !cause.MatchString(shown) {
		t.Fatalf("show does not name the cause:\n%s", shown)
	}
	t.Logf("FAILED: %s", last.Error)
}

// outcomeAfter waits for the next outcome after so many callbacks.
func (tr *tour) outcomeAfter(before int) (last callback) {
	tr.rig.t.Helper()
	tr.eventually("an outcome is delivered", tr.patience, func() bool {
		all := tr.backend.of(tr.store.StoreID)
		if len(all) > before {
			last = all[len(all)-1]
		}
		return last.Status == provision.StatusFailed || last.Status == provision.StatusReady
	})
	return last
}

// startsFull are the engines whose database starts in a volume that is full: what was sold can be looked at, and nothing more is sold.
var startsFull = map[string]bool{"medusa": true}

// fullVolumes fills the database's volume and ends the database. That it is full is told, where the database does not start; what was sold is there when there is room
// again, and the shop sells by itself.
func fullVolumes(t *testing.T, o options, engine string) {
	const most = 2 << 20 // KiB: larger volumes would take long to fill, and may be the node's own disk
	tr := newTour(t, o, &report{}, engine)
	tr.worker = tr.start("worker")
	tr.password, _ = tr.ready()
	tr.order = tr.guestOrders()
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.picture = tr.shopper.upload(owner, picture)

	pod := tr.pods(tr.store, tr.database())[0]
	folder := pod.Spec.Containers[0].VolumeMounts[0].MountPath
	free, err := strconv.Atoi(tr.runs(&pod, "sh", "-c", "df -Pk "+folder+" | awk 'NR == 2 { print $4 }'"))
	if err != nil {
		t.Fatal(err)
	}
	if free > most {
		t.Skipf("LEFT OUT: the volumes have %d MiB of room; it needs a storage class whose volumes have less than %d", free>>10, most>>10)
	}
	guest := tr.visit()
	basket := tr.shopper.fill(guest)
	tr.shopper.addresses(guest, basket)
	_, _ = tr.exec(&pod, 5*time.Minute, "sh", "-c", "head -c 100G /dev/zero >"+folder+"/e2e-fill; sync") // ends when it is full
	_, err = tr.shopper.place(guest, basket)                                                             // it must not hang
	t.Logf("with a full volume a guest is told: %s", shorten(strings.ReplaceAll(errorText(err), "\n", " ")))
	tr.endPods(tr.database())
	if startsFull[engine] {
		tr.eventually("the shop shows what it has", tr.options.timeout, func() bool { time.Sleep(time.Second); return tr.shopPod(tr.store) != nil })
	} else {
		tr.failsFor(regexp.MustCompile(`(?i)no space left|disk is full|disk full|got error 28|errno: 28`))
	}

	tr.makeRoom(pod, folder)
	tr.eventually("the shop is back", tr.options.timeout, func() bool { time.Sleep(time.Second); return tr.shopPod(tr.store) != nil })
	before := len(tr.backend.of(tr.store.StoreID))
	tr.submit(tr.store)
	if last := tr.outcomeAfter(before); last.Status != provision.StatusReady {
		t.Fatalf("with room again the outcome is %s: %s", last.Status, last.Error)
	}
	tr.awaitWay()
	owner = tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.sees(owner)
	t.Logf("with room again the shop sells: order %s", tr.guestOrders())
}

func errorText(err error) string {
	if err == nil {
		return "nothing is wrong"
	}
	return err.Error()
}

// makeRoom removes what fills the volume, in a pod of its own beside the one that cannot start.
func (tr *tour) makeRoom(of corev1.Pod, folder string) {
	t := tr.rig.t
	t.Helper()
	c := of.Spec.Containers[0]
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "e2e-make-room", Namespace: of.Namespace}, Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, NodeName: of.Spec.NodeName, SecurityContext: of.Spec.SecurityContext, Volumes: of.Spec.Volumes,
		Containers: []corev1.Container{{
			Name: "rm", Image: c.Image, ImagePullPolicy: c.ImagePullPolicy, Command: []string{"rm", "-f", folder + "/e2e-fill"}, VolumeMounts: c.VolumeMounts, SecurityContext: c.SecurityContext,
		}},
	}}
	ctx := context.Background()
	if _, err := tr.k.CoreV1().Pods(of.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tr.eventually("there is room again", tr.options.timeout, func() bool {
		time.Sleep(200 * time.Millisecond)
		now, err := tr.k.CoreV1().Pods(of.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		return err == nil && now.Status.Phase == corev1.PodSucceeded
	})
}
