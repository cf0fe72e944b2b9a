package readiness

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// Watcher implements [provision.Readiness] over the shared informers. It never polls: it wakes on changes in the namespace,
// and when a problem has lasted too long.
type Watcher struct {
	client kubernetes.Interface
	cache  *workloadCache
	clock  clock.Clock
}

// New returns a Watcher that is not started yet. The deadlines of its waits are times of the clock.
func New(client kubernetes.Interface, log *slog.Logger, clock clock.Clock) *Watcher {
	return &Watcher{client, newWorkloadCache(client, log), clock}
}

// Start runs the informers until ctx ends and returns once they have listed the cluster's state. It may be called once,
// and no run can wait for readiness before.
func (w *Watcher) Start(ctx context.Context) error { return w.cache.start(ctx) }

// Close waits until the informers have stopped; cancel the context of Start first.
func (w *Watcher) Close() { w.cache.stop() }

// Synced returns nil if the informers have listed the cluster's state, and else an error of CodeUnavailable.
func (w *Watcher) Synced() error {
	if !w.cache.synced() {
		return provision.Errorf(provision.CodeUnavailable, "the cluster's state has not been read yet")
	}
	return nil
}

// cacheSyncTimeout is how long a run that starts after its deadline waits for the informers to catch up with the API server:
// a store that became ready in time must not fail because a worker has just started.
const cacheSyncTimeout = 5 * time.Second

// Wait implements [provision.Readiness]. It checks for readiness before the deadline: a ready store is
// never late.
func (w *Watcher) Wait(ctx context.Context, s provision.Store, deadline time.Time) error {
	if err := w.Synced(); err != nil {
		return err
	}
	changed, unsubscribe := w.cache.notifier.subscribe(s.Namespace)
	defer unsubscribe()
	defer provision.TellWaits(ctx, "")
	workloads, err := w.expectedWorkloads(ctx, s)
	if err != nil {
		return err
	}
	wait := waiting{patient: s.OnHold > 0, expected: workloads, deadline: deadline, began: w.clock.Now(), since: map[problemKey]time.Time{}}
	for {
		now := w.clock.Now()
		outcome := wait.evaluate(w.cache.view(s.Namespace, storeSelector(s)), now)
		if outcome.err != nil || outcome.deadlineExceeded {
			// The informers may be stale after an outage, and no store may become FAILED by a state from before it.
			live, err := w.liveView(ctx, s)
			if err != nil {
				return err
			}
			outcome = wait.evaluate(live, now)
		}
		switch {
		case outcome.done:
			return w.explainImage(ctx, s, outcome.err)
		case outcome.deadlineExceeded:
			return w.deadlineError(ctx, s, outcome)
		}
		provision.TellWaits(ctx, outcome.waits())
		wake := w.clock.NewTimer(outcome.next.Sub(now))
		select {
		case <-ctx.Done():
			wake.Stop()
			return context.Cause(ctx)
		case <-changed:
		case <-wake.C():
		}
		wake.Stop()
	}
}

func storeSelector(s provision.Store) labels.Selector {
	return labels.SelectorFromSet(labels.Set{provision.LabelStore: provision.StoreLabel(s.StoreID)})
}

// expectedWorkloads asks the API server itself for the store's workloads and their generations: the informers may not have
// seen yet what was just applied.
func (w *Watcher) expectedWorkloads(ctx context.Context, s provision.Store) (map[types.UID]expectedWorkload, error) {
	live, err := w.liveWorkloads(ctx, s)
	if err != nil {
		return nil, err
	}
	found := map[types.UID]expectedWorkload{}
	add := func(kind string, meta metav1.ObjectMeta) {
		if meta.DeletionTimestamp == nil {
			found[meta.UID] = expectedWorkload{kind + " " + meta.Name, meta.Generation}
		}
	}
	for _, d := range live.deployments {
		add("deployment", d.ObjectMeta)
	}
	for _, set := range live.statefulSets {
		add("statefulset", set.ObjectMeta)
	}
	if len(found) == 0 {
		if err := w.namespaceRemoved(ctx, s); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("release %s has no workload with the label %s: its chart must set it", s.ReleaseName(), provision.LabelStore)
	}
	return found, nil
}

// namespaceRemoved returns an error if the store's namespace is gone or going: the next run makes another one.
func (w *Watcher) namespaceRemoved(ctx context.Context, s provision.Store) error {
	ns, err := w.client.CoreV1().Namespaces().Get(ctx, s.Namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && ns.DeletionTimestamp != nil {
		return provision.Errorf(provision.CodeUnavailable, "namespace %s was deleted after the release was applied", s.Namespace)
	}
	return kube.WrapError(err, "read namespace %s", s.Namespace)
}

// deadlineError is the error of a wait whose deadline has passed. Problems of volumes and of a pod's network show in claims and
// events that no informer watches, so they are read now, once.
func (w *Watcher) deadlineError(ctx context.Context, s provision.Store, o outcome) error {
	if len(o.problems) == 0 || o.problems[0].code == provision.CodeVolume {
		if found := w.startProblems(ctx, s); len(found) > 0 {
			o.problems, o.duration = found, w.clock.Since(found[0].began)
		}
	}
	code, text := provision.CodeTimeout, append(o.incomplete, o.activities...)
	if len(o.problems) > 0 {
		code, text = o.problems[0].code, append(o.incomplete, o.problems[0].message(o.duration))
	}
	return w.explainImage(ctx, s, provision.Errorf(code, "%s was not ready in time: %s", s.ReleaseName(), strings.Join(text, "; ")))
}

// explainImage adds to the error of an image that a pull Secret could not be read, which only an event says.
func (w *Watcher) explainImage(ctx context.Context, s provision.Store, err error) error {
	if err == nil || provision.CodeOf(err) != provision.CodeImage {
		return err
	}
	const reason = "FailedToRetrieveImagePullSecret"
	events, failed := w.client.CoreV1().Events(s.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=" + reason})
	if failed != nil {
		return err
	}
	for _, event := range events.Items {
		if event.Reason == reason {
			return provision.Errorf(provision.CodeImage, "%s; %s: %s", provision.Public(err), event.InvolvedObject.Name, kube.Sanitize(event.Message))
		}
	}
	return err
}

// startProblems returns the claims that are not bound, with the message of the storage system, and the pods whose volumes or
// network cannot be set up.
func (w *Watcher) startProblems(ctx context.Context, s provision.Store) []problem {
	core := w.client.CoreV1()
	claims, err := core.PersistentVolumeClaims(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	events, err := core.Events(s.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return nil
	}
	return startProblemsIn(claims.Items, events.Items)
}

// eventCodes are the events about a pod that say why it does not start, and nothing in its status does.
var eventCodes = map[string]provision.Code{
	"FailedMount": provision.CodeVolume, "FailedAttachVolume": provision.CodeVolume,
	"FailedCreatePodSandBox": provision.CodeTimeout, "NetworkNotReady": provision.CodeTimeout,
}

func eventBegan(event corev1.Event) time.Time {
	if event.FirstTimestamp.IsZero() {
		return event.EventTime.Time // of a newer reporter
	}
	return event.FirstTimestamp.Time
}

func startProblemsIn(claims []corev1.PersistentVolumeClaim, events []corev1.Event) []problem {
	var found []problem
	for _, claim := range claims {
		if claim.Status.Phase != corev1.ClaimPending {
			continue
		}
		p := problem{code: provision.CodeVolume, object: "volume claim " + claim.Name, text: "is not bound", reason: "Pending",
			began: claim.CreationTimestamp.Time}
		for _, event := range events {
			if event.InvolvedObject.UID == claim.UID {
				p.text, p.reason = "is not bound: "+kube.Sanitize(event.Message), event.Reason
			}
		}
		found = append(found, p)
	}
	for _, event := range events {
		if code, known := eventCodes[event.Reason]; known {
			text := kube.Sanitize(event.Message)
			if node := cmp.Or(event.Source.Host, event.ReportingInstance); node != "" {
				text = "on node " + node + ": " + text
			}
			found = append(found, problem{code: code, object: event.InvolvedObject.Name, text: text, reason: event.Reason, began: eventBegan(event)})
		}
	}
	return found
}
