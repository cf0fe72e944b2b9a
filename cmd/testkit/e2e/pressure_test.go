//go:build realcluster

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

// exec runs a command in the first container of a pod, with at most this time, and returns what it printed. What a limit ends returns an error.
func (w world) exec(pod *corev1.Pod, limit time.Duration, command ...string) (string, error) {
	w.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", must(w.t, "ORCH_TEST_KUBECONFIG"))
	if err != nil {
		w.t.Fatal(err)
	}
	options := &corev1.PodExecOptions{Container: pod.Spec.Containers[0].Name, Command: command, Stdout: true, Stderr: true}
	url := w.k.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").VersionedParams(options, scheme.ParameterCodec).URL()
	run, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, url)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out, complaints bytes.Buffer
	err = run.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &complaints})
	if err != nil {
		err = fmt.Errorf("%w: %s", err, complaints.String())
	}
	return out.String(), err
}

// runs is exec where the command has to succeed.
func (w world) runs(pod *corev1.Pod, command ...string) string {
	w.t.Helper()
	out, err := w.exec(pod, 2*time.Minute, command...)
	if err != nil {
		w.t.Fatalf("%v in pod %s: %v: %s", command, pod.Name, err, shorten(out))
	}
	return strings.TrimSpace(out)
}

// fillMemory meets the memory limits of the shop and of its database. The node ends what takes most, or the whole container.
func (tr *tour) fillMemory() string {
	tr.rig.t.Helper()
	return tr.survives(func() (string, func() bool) {
		for _, pod := range []corev1.Pod{*tr.shopPod(tr.store), tr.pods(tr.store, tr.database())[0]} {
			if out, err := tr.exec(&pod, 2*time.Minute, "tail", "/dev/zero"); err == nil { // reads a line that has no end
				tr.rig.t.Fatalf("a command in pod %s has met no limit of its memory: %s", pod.Name, out)
			}
		}
		return "the limits are met", func() bool { return len(tr.containers()) >= len(tr.pods(tr.store, tr.allPods())) }
	})
}

// crowd is what robots ask of the shops of an engine.
type crowd interface {
	found(v *visitor)                                      // what tells robots where to go lets them in
	crawled(v *visitor) (paths []string, headers []string) // with a %d in each, so that no two are equal
	overdue(n int) (queue func() string, left func() int)  // work that became due at once
}

const (
	robots     = 12
	crawlTime  = 15 * time.Second
	overdueNow = 200
)

// crawl has robots ask for pages while a guest orders. The shop stays in its Service throughout.
func (tr *tour) crawl() string {
	t := tr.rig.t
	t.Helper()
	c := tr.shopper.(crowd)
	c.found(tr.visit())
	before := tr.shopPod(tr.store)
	paths, headers := c.crawled(tr.visit())
	ctx, cancel := context.WithTimeout(context.Background(), crawlTime)
	defer cancel()
	answers := tr.swarm(ctx, paths, headers)
	begun := time.Now()
	tr.order = tr.guestOrders()
	took := time.Since(begun)
	<-ctx.Done()
	seen := answers()
	tr.sameReadyPod(before)
	for status := range seen {
		if status >= 500 || status == 0 {
			t.Fatalf("robots got these answers: %v", seen)
		}
	}
	return fmt.Sprintf("%d robots got %v in %s; a guest ordered meanwhile in %.1f s", robots, seen, crawlTime, took.Seconds())
}

// swarm asks for the paths until ctx ends. The function that it returns waits for the robots and counts their answers by status; 0 is none.
func (tr *tour) swarm(ctx context.Context, paths, headers []string) (wait func() map[int]int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[int]int{}
	for robot := range robots {
		v := tr.visit()
		all.Go(func() {
			for n := robot; ctx.Err() == nil; n += robots {
				a, _ := v.try(http.MethodGet, fmt.Sprintf(paths[n%len(paths)], n), nil, headers...)
				mu.Lock()
				seen[a.status]++
				mu.Unlock()
			}
		})
	}
	return func() map[int]int { all.Wait(); return seen }
}

// sameReadyPod ends the test if the shop has another pod, other containers, or was not ready in between.
func (tr *tour) sameReadyPod(before *corev1.Pod) {
	tr.rig.t.Helper()
	now := tr.shopPod(tr.store)
	if now == nil || now.UID != before.UID || restarts(now) != restarts(before) || readySince(now) != readySince(before) {
		tr.rig.t.Fatalf("the shop did not stay open: its pod was ready since %s, with %d restarts; it is now %s", readySince(before), restarts(before), tr.diagnosis(tr.store))
	}
}

func restarts(pod *corev1.Pod) (n int32) {
	for _, c := range pod.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

func readySince(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.LastTransitionTime.String()
		}
	}
	return ""
}

// fallDue has much work of the shop's own become due at once, and a guest order meanwhile.
func (tr *tour) fallDue() string {
	t := tr.rig.t
	t.Helper()
	queue, left := tr.shopper.(crowd).overdue(overdueNow)
	if queue == nil {
		return "left out: this engine has no work of that kind"
	}
	before, begun := tr.shopPod(tr.store), time.Now()
	queue()
	tr.order = tr.guestOrders()
	ordered := time.Since(begun)
	tr.eventually("what is overdue is done", 5*time.Minute, func() bool { time.Sleep(2 * time.Second); return left() == 0 })
	tr.sameReadyPod(before)
	return fmt.Sprintf("%d actions done after %.0f s; a guest ordered within %.1f s", overdueNow, time.Since(begun).Seconds(), ordered.Seconds())
}

func (s woocommerce) found(v *visitor) {
	v.t.Helper()
	text := v.page("/robots.txt")
	if !strings.Contains(text, "Disallow: /wp-admin/") || strings.Contains(text, "Disallow: /\n") || !strings.Contains(text, "Sitemap: "+v.origin) {
		v.t.Fatalf("robots are told:\n%s", text)
	}
	if !strings.Contains(v.page("/wp-sitemap.xml"), "product") {
		v.t.Fatal("the sitemap has no products")
	}
}

func (s woocommerce) crawled(*visitor) (paths, headers []string) {
	return []string{"/shop/?orderby=price&robot=%d", "/product/sample-t-shirt/?robot=%d", "/?s=shirt%d", "/feed/?robot=%d", "/nothing-%d/", "/wp-json/wc/store/v1/products?robot=%d"}, nil
}

// overdue puts actions into WooCommerce's Action Scheduler, where the shop's image brings wp.
func (s woocommerce) overdue(n int) (queue func() string, left func() int) {
	wp := func(code string) string {
		pod := s.shopPod(s.tour.store)
		return s.runs(pod, "sh", "-c", `wp eval "$0"`, code)
	}
	if _, err := s.exec(s.shopPod(s.tour.store), time.Minute, "sh", "-c", "command -v wp"); err != nil {
		return nil, nil
	}
	queue = func() string {
		return wp(fmt.Sprintf(`for ($i = 0; $i < %d; $i++) { as_schedule_single_action(time() - 60, "woocommerce_cleanup_sessions", array($i), "e2e"); }`, n))
	}
	return queue, func() int {
		said := wp(`echo "left:" . count(as_get_scheduled_actions(array("group" => "e2e", "status" => "pending", "per_page" => -1), "ids"));`)
		_, number, _ := strings.Cut(said, "left:")
		left, err := strconv.Atoi(number)
		if err != nil {
			s.rig.t.Fatalf("wp prints %q", said)
		}
		return left
	}
}

// found does nothing: what of Medusa is public is an API, and its storefronts tell robots where to go.
func (s medusa) found(*visitor) {}

func (s medusa) crawled(*visitor) (paths, headers []string) {
	return []string{"/store/products?fields=*variants&limit=50&offset=0&q=shirt&order=-created_at#%d", "/app?robot=%d", "/health?robot=%d", "/nothing-%d", "/store/regions?offset=0#%d"}, s.key()
}

func (s medusa) overdue(int) (queue func() string, left func() int) { return nil, nil }
