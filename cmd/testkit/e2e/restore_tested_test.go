//go:build realcluster

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"orchestrator/provision"
)

// callsOut has a pod of a shop connect to a public address, as a payment module would.
var callsOut = []string{"sh", "-c", `if command -v php >/dev/null; then php -r '@fsockopen("` + publicAddr + `", 443, $n, $s, 1);'
else node -e 'const s = require("net").connect(443, "` + publicAddr + `"); s.setTimeout(1000, () => s.destroy()).on("error", () => {}).on("connect", () => s.destroy())'; fi`}

// tested waits for a restore test. The shop that it makes calls out all the time; its packets that leave the cluster are counted, beside those of the shop itself.
func (tr *tour) tested() string {
	t := tr.rig.t
	t.Helper()
	beside := "restore-" + provision.StoreLabel(tr.store.StoreID)
	counting := os.Getenv("DOORS_OUTSIDE") == "netns"
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	counter, done := &counter{out: map[string]int{}}, make(chan struct{})
	calls := 0
	if counting {
		newNetns(t)
		defer counter.end()
		shop := tr.shopPod(tr.store)
		counter.add(shop)
		_, _ = tr.exec(shop, 10*time.Second, callsOut...)
	}
	go func() {
		defer close(done)
		for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			list, err := tr.k.CoreV1().Pods(beside).List(ctx, metav1.ListOptions{})
			if err != nil || !counting {
				continue
			}
			for i := range list.Items {
				pod := &list.Items[i]
				counter.add(pod)
				if pod.Labels["app.kubernetes.io/component"] == "shop" && pod.Status.Phase == corev1.PodRunning {
					if _, err := tr.exec(pod, 5*time.Second, callsOut...); err == nil {
						calls++
					}
				}
			}
		}
	}()
	tr.eventually("a backup is tested", tr.options.timeout, func() bool {
		time.Sleep(200 * time.Millisecond)
		s := tr.state(tr.store.StoreID)
		if s.RestoreTestFailure != nil {
			t.Fatalf("the restore test has failed: %s", s.RestoreTestFailure.Error)
		}
		return s.RestoreTest != nil
	})
	cancel()
	<-done
	s := tr.state(tr.store.StoreID)
	if !tr.gone(beside) {
		t.Fatalf("namespace %s is left", beside)
	}
	tr.asBefore()
	said := fmt.Sprintf("run %s, in %d s", s.RestoreTest.Run[:8], s.RestoreTest.Seconds)
	if !counting {
		return said + "; LEFT OUT: DOORS_OUTSIDE=netns counts the packets that leave the cluster"
	}
	counter.read(t.Fatalf)
	shop, tested := counter.out[tr.store.Namespace], counter.out[beside]
	if calls == 0 || shop == 0 || tested != 0 {
		t.Fatalf("the shop of the test called out %d times and sent %d packets out of the cluster, want none; the shop itself, which may, sent %d", calls, tested, shop)
	}
	return fmt.Sprintf("%s; %d of its pods sent no packet out of the cluster, in %d calls; the shop itself sent %d in one", said, counter.pods[beside], calls, shop)
}

// counter counts the packets of pods that leave the cluster, by namespace, on the node that this machine is.
type counter struct {
	rules [][2]string // pod's address, namespace
	pods  map[string]int
	out   map[string]int
}

func (c *counter) rule(how, address string) []string {
	return []string{"-t", "mangle", how, "POSTROUTING", "-s", address, "!", "-d", "10.0.0.0/8", "-m", "comment", "--comment", "e2e " + address}
}

// add counts from when the pod has its address, which is before its containers begin.
func (c *counter) add(pod *corev1.Pod) {
	for _, known := range c.rules {
		if known[0] == pod.Status.PodIP {
			return
		}
	}
	if pod.Status.PodIP == "" || exec.Command("iptables", c.rule("-I", pod.Status.PodIP)...).Run() != nil {
		return
	}
	if c.pods == nil {
		c.pods = map[string]int{}
	}
	c.rules, c.pods[pod.Namespace] = append(c.rules, [2]string{pod.Status.PodIP, pod.Namespace}), c.pods[pod.Namespace]+1
}

func (c *counter) read(fatal func(string, ...any)) {
	out, err := exec.Command("iptables", "-t", "mangle", "-nvxL", "POSTROUTING").CombinedOutput()
	if err != nil {
		fatal("iptables: %v: %s", err, out)
	}
	for _, rule := range c.rules {
		found := regexp.MustCompile(`(?m)^ *(\d+) .*/\* e2e ` + regexp.QuoteMeta(rule[0]) + ` \*/`).FindStringSubmatch(string(out))
		if found == nil {
			fatal("the packets of %s are not counted:\n%s", rule[0], strings.TrimSpace(string(out)))
		}
		n, _ := strconv.Atoi(found[1])
		c.out[rule[1]] += n
	}
}

func (c *counter) end() {
	for _, rule := range c.rules {
		_ = exec.Command("iptables", c.rule("-D", rule[0])...).Run()
	}
}
