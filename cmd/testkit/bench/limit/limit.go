// Package limit makes stores with the least that a cluster lets any client do: one POST for each object of the rendered chart, and a watch that says
// when their pods are ready. What an orchestrator takes longer than this is its own.
package limit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"orchestrator/cmd/testkit/bench/stores"
)

// Result is what the process prints, as JSON in one line, once its stores are ready.
type Result struct {
	Took     []float64      // seconds from the beginning of the burst to each store's readiness, in the order in which they became ready
	Requests map[string]int // sent for the stores, besides the watches, such as "POST configmaps"
}

type options struct {
	kubeconfig, prefix string
	stores, callers    int
	patience           time.Duration
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("limit", flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the cluster")
	flags.StringVar(&o.prefix, "prefix", "limit-", "what the ids of the stores begin with")
	flags.IntVar(&o.stores, "n", 60, "how many stores")
	flags.IntVar(&o.callers, "c", 20, "how many stores are written at a time")
	flags.DurationVar(&o.patience, "patience", 10*time.Minute, "how long the stores may take")
	return o, flags.Parse(args)
}

// Main is the process `bench limit`. It makes two stores, so that connections are open, says "warm" and waits for a line. Then it makes the others,
// prints the [Result], and ends when its input does: until then it can be asked what it has used.
func Main(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	m, err := newMaker(ctx, o.kubeconfig)
	if err != nil {
		return err
	}
	if _, err := m.burst(ctx, "warm-"+o.prefix, 2, o); err != nil {
		return err
	}
	lines := bufio.NewReader(in)
	fmt.Fprintln(out, "warm")
	if _, err := lines.ReadString('\n'); err != nil {
		return fmt.Errorf("no line says that the burst may begin: %w", err)
	}
	result, err := m.burst(ctx, o.prefix, o.stores, o)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(result); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, lines)
	return err
}

// maker makes stores from one rendered chart.
type maker struct {
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	objects []object
	ready   <-chan workload
	count   int // of the workloads of a store
}

func newMaker(ctx context.Context, kubeconfig string) (*maker, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = -1, -1 // no limit of the client's own
	m := &maker{}
	if m.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	if m.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	if m.objects, err = render(m.kube.Discovery()); err != nil {
		return nil, err
	}
	for _, o := range m.objects {
		if o.workload {
			m.count++
		}
	}
	m.ready, err = watch(ctx, m.kube)
	return m, err
}

// burst makes n stores and returns when all are ready.
func (m *maker) burst(ctx context.Context, prefix string, n int, o options) (r Result, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.patience, errors.New("the stores did not become ready in time"))
	defer cancel()
	left := newTracker(m.count)
	for i := range n {
		left.expect(namespaceOf(stores.ID(prefix, i)))
	}
	begun := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.write(ctx, prefix, n, o.callers) })
	r.Took, err = m.await(ctx, left, begun, n)
	if err != nil {
		cancel() // what is still to be written is of no use
		return r, errors.Join(err, group.Wait())
	}
	r.Requests = m.requests(n)
	return r, group.Wait()
}

// requests counts those for n stores.
func (m *maker) requests(n int) map[string]int {
	counts := map[string]int{"POST namespaces": n}
	for _, o := range m.objects {
		counts["POST "+o.resource.Resource] += n
	}
	return counts
}

// await returns the seconds after which each of n stores was ready.
func (m *maker) await(ctx context.Context, left tracker, begun time.Time, n int) (took []float64, err error) {
	for len(took) < n {
		select {
		case w, open := <-m.ready:
			if !open {
				return nil, errors.New("a watch of the API server has ended")
			}
			if left.seen(w) {
				took = append(took, time.Since(begun).Seconds())
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d stores are ready: %w", len(took), n, context.Cause(ctx))
		}
	}
	return took, nil
}

// write sends the objects of n stores, those of one in their order.
func (m *maker) write(ctx context.Context, prefix string, n, callers int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	for i := range n {
		group.Go(func() error { return m.writeStore(ctx, stores.ID(prefix, i)) })
	}
	return group.Wait()
}

func (m *maker) writeStore(ctx context.Context, id string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(id)}}
	if _, err := m.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("store %s: create its namespace: %w", id, err)
	}
	for _, o := range m.objects {
		made, err := o.of(id)
		if err != nil {
			return err
		}
		if _, err := m.dynamic.Resource(o.resource).Namespace(ns.Name).Create(ctx, made, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("store %s: create its %s %s: %w", id, made.GetKind(), made.GetName(), err)
		}
	}
	return nil
}

func namespaceOf(id string) string { return stores.Request(id).Namespace }
