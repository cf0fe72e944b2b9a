//go:build devcluster

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/provision"
)

// The stores of [TestManyStoresAreRecovered]: ORCH_TEST_STORES, 10,000 in make test-long; a few in make test, which shows that the
// path works.
const fewStores = 50

// What the recovery of 10,000 stores may take, over a round trip to Redis of 20 ms.
const (
	redisRoundTrip = 20 * time.Millisecond
	recoveryLimit  = 2 * time.Minute
	memoryLimit    = 256 << 20
)

// Redis loses everything, the cluster has many stores, and Redis is far away: requests are accepted again within two minutes, the
// worker's memory stays bounded, and what is due for the sweeper does not wait.
func TestManyStoresAreRecovered(t *testing.T) {
	count := fewStores
	if text := os.Getenv("ORCH_TEST_STORES"); text != "" {
		count, _ = strconv.Atoi(text)
	}
	r, w, s := newRig(t), newWorld(t), store(t, "woocommerce")
	first := r.start("worker")
	r.submit(s)
	r.awaitStatus(s.StoreID, provision.StatusReady, 1)
	r.eventually("the cluster records that READY was delivered", soonEnough, func() bool { return w.delivered(s) })
	first.end(syscall.SIGTERM)
	w.multiply(s, count)

	r.loseRedis()
	options := redisOptions(t, r.redis)
	far := "REDIS_URL=redis://" + delayed(t, options.Network, options.Addr)
	start := time.Now()
	worker := r.start("worker", far)
	r.eventually("requests are accepted", 5*time.Minute, func() bool {
		resp, err := http.Get(r.api + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	took, memory := time.Since(start), peakMemory(t, worker.PID())
	t.Logf("%d stores were on record after %s, with at most %d MiB of the worker", count, took.Round(time.Millisecond), memory>>20)
	if took > recoveryLimit {
		t.Errorf("the recovery took %s, want %s at most", took, recoveryLimit)
	}
	if memory > memoryLimit {
		t.Errorf("the worker took %d MiB, want %d at most", memory>>20, memoryLimit>>20)
	}
	client := redis.NewClient(options)
	defer client.Close()
	if n := client.ZCard(t.Context(), "{orch}:stores").Val(); int(n) != count+1 {
		t.Errorf("%d stores are on record, want %d", n, count+1)
	}
	r.sweepMany(client, min(count, 5000))
}

// sweepMany makes stores due for the sweeper, and waits until it has been to all of them.
func (r *rig) sweepMany(client *redis.Client, count int) {
	r.t.Helper()
	ctx := context.Background()
	ids := client.ZRange(ctx, "{orch}:stores", 0, int64(count-1)).Val()
	due := make([]redis.Z, len(ids))
	for i, id := range ids {
		due[i] = redis.Z{Score: 1, Member: id}
	}
	if err := client.ZAdd(ctx, "{orch}:outstanding", due...).Err(); err != nil {
		r.t.Fatal(err)
	}
	start := time.Now()
	r.eventually("the sweeper has been to every store", 2*time.Minute, func() bool { return client.ZCount(ctx, "{orch}:outstanding", "1", "1").Val() == 0 })
	took := time.Since(start)
	r.t.Logf("the sweeper was at %d due stores after %s", len(ids), took.Round(time.Millisecond))
	if took > time.Minute {
		r.t.Errorf("the sweep took %s, want a minute at most", took)
	}
}

// multiply makes namespaces of stores like s, without releases.
func (w world) multiply(s provision.Request, count int) {
	w.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", must(w.t, "ORCH_TEST_KUBECONFIG"))
	if err != nil {
		w.t.Fatal(err)
	}
	config.QPS = -1
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		w.t.Fatal(err)
	}
	model, err := k.CoreV1().Namespaces().Get(w.t.Context(), s.Namespace, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	names := make([]string, count)
	w.t.Cleanup(func() {
		_ = each(names, func(name string) error {
			return k.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
		})
	})
	for i := range names {
		names[i] = fmt.Sprintf("%s-m%d", s.Namespace, i)
	}
	err = each(names, func(name string) error {
		id := strings.TrimPrefix(name, "store-")
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}}
		for key, value := range model.Labels {
			ns.Labels[key] = value
		}
		ns.Labels[provision.LabelStore] = provision.StoreLabel(id)
		delete(ns.Labels, "kubernetes.io/metadata.name")
		for key, value := range model.Annotations {
			ns.Annotations[key] = strings.ReplaceAll(value, s.StoreID, id)
		}
		_, err := k.CoreV1().Namespaces().Create(context.Background(), ns, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func each(names []string, do func(string) error) error {
	var group errgroup.Group
	group.SetLimit(32)
	for _, name := range names {
		group.Go(func() error { return do(name) })
	}
	return group.Wait()
}

// peakMemory is the most that a process has had in memory, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// delayed is the address of a server as if it were half a round trip away in each direction.
func delayed(t *testing.T, network, address string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial(network, address)
			if err != nil {
				in.Close()
				continue
			}
			go carryLate(out, in)
			go carryLate(in, out)
		}
	}()
	return listener.Addr().String()
}

// carryLate passes on what it reads after half a round trip, however much is on its way.
func carryLate(to, from net.Conn) {
	type part struct {
		at   time.Time
		data []byte
	}
	parts := make(chan part, 1024)
	go func() {
		defer to.Close()
		for p := range parts {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.data); err != nil {
				from.Close()
			}
		}
	}()
	defer close(parts)
	for buffer := make([]byte, 64<<10); ; {
		n, err := from.Read(buffer)
		if n > 0 {
			parts <- part{time.Now().Add(redisRoundTrip / 2), append([]byte(nil), buffer[:n]...)}
		}
		if err != nil {
			return
		}
	}
}
