//go:build realcluster

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/ingest/client"
	"orchestrator/provision"
)

// shoppers are those of the engines that have one. The shops of other engines are created, repeated and deleted only.
var shoppers = map[string]func(*tour) shopper{
	"woocommerce": func(tr *tour) shopper { return woocommerce{tr} },
	"medusa":      func(tr *tour) shopper { return medusa{tour: tr, shops: map[string]types.UID{}} },
}

// shopper is what strangers and owners do in the shops of one engine. Every method ends the test when the shop does not
// do what it should.
type shopper interface {
	browse(v *visitor, want provision.Settings)             // as a stranger: a shop with this title and currency that sells the sample
	fill(v *visitor) string                                 // as a guest: a basket with the sample, by the name that only this type knows
	addresses(v *visitor, basket string)                    // as a guest: all that an order needs besides the basket, if that comes before it
	place(v *visitor, basket string) (id string, err error) // as a guest: the order
	login(v *visitor, password string)                      // as the owner, who is in the dashboard then
	locksOut(v *visitor, password string)                   // the login refuses this password
	upload(v *visitor, picture []byte) string               // as the owner who is logged in; the picture's address
	orders(v *visitor) map[string]bool                      // ids, as the owner or with the keys of the store's Secret
	number(owner *visitor, id string) string                // as the owner who is logged in: what mails call the order
	saysNoMail(owner *visitor) bool                         // as the owner who is logged in: the dashboard says that the shop sends none
	settings(v *visitor, want provision.Settings)
	opens(v *visitor)          // as a stranger: a new shop looks like one
	rearrange(owner *visitor)  // as the owner who is logged in: what a new shop looks like becomes something else
	rearranged(owner *visitor) // and is still that
}

// tour is the life of one store in a real cluster.
type tour struct {
	*rig
	world
	shopper  shopper
	report   *report
	options  options
	front    *front // nil: the shop is visited over port-forwards
	store    provision.Request
	worker   *program
	password string
	order    string
	mailbox  *mailbox // nil: no mail is sent
	reborn   bool     // the store is restored in another namespace of its name: its keys are not those of another shop
	number   string   // of the order that was made in a browser
	picture  string
	readies  int // READY callbacks so far
	deletes  int // DELETED callbacks so far
	asked    time.Time
}

// Every engine, in a cluster with real pods: strangers can order, the owner can log in with the password that was
// reported, and neither changed settings nor the loss of workers and pods lose anything.
func TestShopsSell(t *testing.T) {
	o, err := optionsOf(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	r := &report{}
	for _, engine := range o.engines {
		t.Run(engine, func(t *testing.T) {
			begun := time.Now()
			newTour(t, o, r, engine).run()
			r.add(row{engine, "everything", time.Since(begun), ""})
		})
	}
	r.print(os.Stdout)
}

func newTour(t *testing.T, o options, r *report, engine string) *tour {
	t.Helper()
	s := store(t, engine)
	front := newFront(t, &o, &s)
	mailbox := newMailbox(t, &o, front)
	s.Settings = provision.Settings{Title: "First Shop", AdminEmail: "owner@" + s.Host + ".example.com", Currency: "EUR", Country: "DE", SampleProduct: true}
	tr := &tour{report: r, options: o, front: front, mailbox: mailbox, store: s}
	tr.world = newWorld(t)
	env := []string{"STORE_VALUES_FILE=" + o.valuesFile(t, engine), fmt.Sprintf("ORCH_POLL_ATTEMPTS=%d", int(o.timeout.Seconds())),
		"ORCH_POLL_INTERVAL=1s", "ORCH_DRIFT=repair", "ORCH_AUDIT_EVERY=10s", "ORCH_DELETE_TIMEOUT=" + o.timeout.String()}
	tr.rig = newRig(t, slices.Concat(env, front.env(), mailbox.env(), o.env)...)
	tr.patience = 2 * o.timeout // so that it is the service that says what is wrong
	if makeShopper := shoppers[engine]; makeShopper != nil {
		tr.shopper = makeShopper(tr)
	}
	t.Cleanup(tr.cleanUp)
	return tr
}

func (tr *tour) run() {
	tr.worker = tr.start("worker")
	tr.phase("POST to READY", tr.create)
	if tr.shopper == nil {
		tr.phase("the same POST again", tr.again)
		tr.phase("DELETE to DELETED", tr.remove)
		return
	}
	tr.phase("how it came about", tr.came)
	tr.phase("a stranger looks", func() string {
		tr.shopper.browse(tr.visit(), tr.store.Settings)
		tr.shopper.opens(tr.visit())
		return "a shop with the sample product"
	})
	tr.phase("a guest orders", func() string { tr.order = tr.guestOrders(); return "order " + tr.order })
	tr.phase("mail about the order", tr.mailed)
	tr.phase("the owner logs in", tr.ownerLogsIn)
	tr.phase("a guest orders in a browser", tr.guestBrowses)
	tr.phase("the owner looks in a browser", tr.ownerBrowses)
	tr.phase("a picture of 20 MB", tr.uploadLarge)
	tr.phase("memory of the pods", func() string { return tr.memory(tr.store) })
	tr.phase("the same POST again", tr.again)
	tr.phase("helm test", tr.helmTest)
	tr.phase("suspended and resumed", tr.suspend)
	tr.phase("another password", tr.rotate)
	tr.phase("changed by hand, and mended", tr.changeByHand)
	tr.phase("rolled out to other images", tr.rollOut)
	tr.phase("robots look", tr.crawl)
	tr.phase("much is overdue", tr.fallDue)
	tr.phase("the database is killed", func() string { return tr.kill(tr.database()) })
	tr.phase("it is killed while guests order", tr.killMidOrder)
	tr.phase("every pod is killed", func() string { return tr.kill(tr.allPods()) })
	tr.phase("memory limits are met", tr.fillMemory)
	tr.phase("the owner's own code", tr.ownCode)
	tr.phase("the node restarts", tr.restartNode)
	tr.phase("the node is drained", tr.drain)
	tr.phase("settings change", tr.change)
	tr.phase("the shop's pod is deleted", tr.losePod)
	tr.phase("DELETE to DELETED", tr.remove)
	tr.phase("created again, worker killed", tr.createAgain)
	tr.phase("another guest orders", func() string { tr.order = tr.guestOrders(); return "order " + tr.order })
	tr.phase("DELETE retains the data", tr.retain)
	tr.phase("taken up again", tr.takeUp)
	if tr.options.keep {
		tr.rig.t.Logf("kept: namespace %s, label %s=%s", tr.store.Namespace, provision.LabelStore, provision.StoreLabel(tr.store.StoreID))
		return
	}
	tr.phase("DELETE to DELETED", tr.remove)
}

// phase runs a part of the tour and notes what it took.
func (tr *tour) phase(name string, run func() string) {
	tr.rig.t.Helper()
	begun, seen := time.Now(), "FAILED"
	defer func() {
		tr.report.add(row{tr.store.Engine, name, time.Since(begun), seen})
		tr.rig.t.Logf("%s %s: %.1f s, %s", tr.store.Engine, name, time.Since(begun).Seconds(), seen)
	}()
	seen = run()
}

// cleanUp prints a diagnosis after a failure, and leaves nothing behind unless KEEP is set.
func (tr *tour) cleanUp() {
	t := tr.rig.t
	if t.Failed() {
		t.Logf("what the store looks like:\n%s", tr.diagnosis(tr.store))
	}
	switch {
	case tr.gone(tr.store.Namespace):
	case tr.options.keep:
		t.Logf("kept: kubectl --kubeconfig %s get pods -n %s", os.Getenv("ORCH_TEST_KUBECONFIG"), tr.store.Namespace)
	default:
		tr.deleteNamespace(tr.store.Namespace)
	}
}

// visit is a new visitor at the shop as it is now.
func (tr *tour) visit() *visitor {
	tr.rig.t.Helper()
	if tr.front != nil {
		return newVisitor(tr.rig.t, tr.front.way(tr.rig.t), tr.origin())
	}
	return newVisitor(tr.rig.t, pastIngress(tr.rig.t, tr.forward(tr.store)), tr.origin())
}

// origin is where the shop is served: the root of its host, whichever page store_url names.
func (tr *tour) origin() string {
	tr.rig.t.Helper()
	u, err := url.Parse(tr.store.StoreURL)
	if err != nil {
		tr.rig.t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host
}

// ready posts the request and waits for its READY, whose password it returns with the times of the steps.
func (tr *tour) ready() (password, steps string) {
	tr.rig.t.Helper()
	tr.asked = time.Now()
	generation := tr.submit(tr.store)
	return tr.awaitReady(generation)
}

// waited is how long the caller has waited for the READY that came last.
func (tr *tour) waited() time.Duration {
	all := tr.backend.of(tr.store.StoreID)
	return all[len(all)-1].at.Sub(tr.asked)
}

func (tr *tour) awaitReady(generation int64) (password, steps string) {
	tr.rig.t.Helper()
	tr.readies++
	c := tr.awaitStatus(tr.store.StoreID, provision.StatusReady, tr.readies)
	secret := string(tr.credentials(tr.store).Data[provision.AdminPassword])
	if c.URL != tr.store.StoreURL || c.Password == "" || c.Password != secret {
		tr.rig.t.Fatalf("READY carries the url %q and a password of %d characters; want %s and that of the store's Secret", c.URL, len(c.Password), tr.store.StoreURL)
	}
	var took []string
	for _, step := range tr.state(tr.store.StoreID).Steps {
		if step.State == provision.StepDone && step.Generation == generation {
			took = append(took, fmt.Sprintf("%s %.1f", step.Name, float64(step.Millis)/1000))
		}
	}
	return c.Password, strings.Join(took, ", ")
}

func (tr *tour) create() (steps string) {
	tr.password, steps = tr.ready()
	tr.timed(timeNew, tr.waited())
	return steps
}

func (tr *tour) ownerLogsIn() string {
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.shopper.locksOut(tr.visit(), "not-"+tr.password)
	tr.picture = tr.shopper.upload(owner, picture)
	tr.sees(owner)
	return "in the dashboard, with the guest's order; a wrong password is refused; a picture is uploaded"
}

// sees checks that the order and the picture are there.
func (tr *tour) sees(owner *visitor) {
	tr.rig.t.Helper()
	if found := tr.shopper.orders(owner); !found[tr.order] {
		tr.rig.t.Fatalf("the orders are %v; the guest's order %s is not among them", found, tr.order)
	}
	if got := tr.visit().page(tr.picture); got != string(picture) {
		tr.rig.t.Fatalf("the uploaded picture has %d bytes when it is fetched, want %d", len(got), len(picture))
	}
}

// again posts the same: nothing may be started anew.
func (tr *tour) again() string {
	before := tr.shopPod(tr.store).UID
	password, steps := tr.ready()
	if now := tr.shopPod(tr.store); password != tr.password || now == nil || now.UID != before {
		tr.rig.t.Fatalf("the same request changed the store: password kept: %t, pod kept: %t", password == tr.password, now != nil && now.UID == before)
	}
	return steps
}

// helmTest runs the chart's own test, a pod that asks the shop by its Service.
func (tr *tour) helmTest() string {
	out := helm{tr.rig.t, tr.store}.run("test", tr.store.Name, "--timeout", tr.options.timeout.String())
	if !strings.Contains(out, "Phase:          Succeeded") {
		tr.rig.t.Fatalf("helm test says\n%s", out)
	}
	return "the pod of the chart's test has succeeded"
}

func (tr *tour) change() string {
	before := tr.visit()
	tr.shopper.login(before, tr.password)
	tr.shopper.rearrange(before)
	tr.store.Settings.Title, tr.store.Settings.Currency = `Second "Shop" & Söhne`, "USD"
	password, steps := tr.ready()
	if password != tr.password {
		tr.rig.t.Fatal("the change of settings came with another password")
	}
	tr.timed(timeChange, tr.waited())
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.shopper.rearranged(owner)
	tr.shopper.settings(owner, tr.store.Settings)
	tr.sees(owner)
	return steps
}

func (tr *tour) losePod() string {
	begun := time.Now()
	lost := tr.deletePod(tr.store)
	var pod *corev1.Pod
	tr.eventually("another pod of the shop is ready", tr.options.timeout, func() bool {
		time.Sleep(50 * time.Millisecond) // a hundred questions in a second would cost the shop time
		pod = tr.shopPod(tr.store)
		return pod != nil && pod.UID != lost
	})
	tr.timed(timePod, time.Since(begun))
	tr.awaitWay()
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.shopper.settings(owner, tr.store.Settings)
	tr.sees(owner)
	return "order, picture and password are there"
}

// delete requests a delete and waits for DELETED.
func (tr *tour) delete(how client.Deletion) {
	tr.rig.t.Helper()
	if _, err := tr.client.Delete(context.Background(), tr.store.StoreID, 0, how); err != nil {
		tr.rig.t.Fatalf("DELETE: %v", err)
	}
	tr.deletes++
	tr.awaitStatus(tr.store.StoreID, provision.StatusDeleted, tr.deletes)
}

func (tr *tour) remove() string {
	volumes := tr.volumes(tr.store)
	tr.delete(client.Deletion{})
	if !tr.gone(tr.store.Namespace) {
		tr.rig.t.Fatal("DELETED was delivered and the namespace is still there")
	}
	for name, policy := range volumes {
		if policy == corev1.PersistentVolumeReclaimRetain {
			return fmt.Sprintf("namespace gone; volume %s stays, as its storage class says", name)
		}
	}
	tr.eventually("the volumes are gone", tr.options.timeout, func() bool { return len(tr.volumes(tr.store)) == 0 })
	return fmt.Sprintf("namespace and %d volumes gone", len(volumes))
}

// createAgain makes a new store under the name of the deleted one. The worker that makes it is killed on the way.
func (tr *tour) createAgain() string {
	step := map[string]string{"woocommerce": provision.StepReady, "medusa": provision.StepRelease}[tr.store.Engine]
	before := len(tr.backend.of(tr.store.StoreID))
	generation := tr.submit(tr.store)
	tr.eventually("step "+step+" begins", tr.options.timeout, func() bool { return tr.reached(generation, step) })
	tr.worker.end(syscall.SIGKILL)
	tr.worker = tr.start("worker")
	password, steps := tr.awaitReady(generation)
	if password == tr.password {
		tr.rig.t.Fatal("the new store has the password of the deleted one")
	}
	tr.eventually("all callbacks are delivered", time.Minute, func() bool { return tr.state(tr.store.StoreID).PendingCallbacks == 0 })
	ids := map[string]bool{}
	for _, c := range tr.backend.of(tr.store.StoreID)[before:] {
		ids[c.ID] = true
	}
	if len(ids) != 1 {
		tr.rig.t.Fatalf("the outcome of one store was delivered under the ids %v", ids)
	}
	old := tr.password
	tr.password = password
	owner := tr.visit()
	tr.shopper.locksOut(tr.visit(), old)
	tr.shopper.login(owner, tr.password)
	if found := tr.shopper.orders(owner); len(found) != 0 {
		tr.rig.t.Fatalf("the new store has the orders %v", found)
	}
	tr.shopper.browse(tr.visit(), tr.store.Settings)
	tr.picture = tr.shopper.upload(owner, picture)
	return fmt.Sprintf("killed in %s; %s; a new store from nothing", step, steps)
}

func (tr *tour) retain() string {
	tr.delete(client.Deletion{RetainData: true})
	if left := tr.pods(tr.store, ""); len(left) != 0 {
		tr.rig.t.Fatalf("DELETED was delivered and there are still %d pods", len(left))
	}
	return fmt.Sprintf("no pods, %d volumes left", len(tr.volumes(tr.store)))
}

func (tr *tour) takeUp() string {
	password, steps := tr.ready()
	if password != tr.password {
		tr.rig.t.Fatal("the store whose data was retained has another password")
	}
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	tr.sees(owner)
	return steps + "; order, picture and password are there"
}

// reached reports whether a step of the generation has begun.
func (tr *tour) reached(generation int64, step string) bool {
	for _, s := range tr.state(tr.store.StoreID).Steps {
		if s.Generation == generation && s.Name == step {
			return true
		}
	}
	return false
}
