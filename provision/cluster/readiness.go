package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// Readiness implements [provision.Readiness] over the shared informers. It never polls: it wakes on changes in
// the namespace, and when a problem has lasted too long.
type Readiness struct{ c *Cluster }

// Readiness is the cluster's [provision.Readiness]. [Cluster.Start] must have been called.
func (c *Cluster) Readiness() *Readiness { return &Readiness{c} }

// cacheSyncTimeout is how long a run that starts after its deadline waits for the informers to catch up with the API server:
// a store that became ready in time must not fail because a worker has just started.
const cacheSyncTimeout = 5 * time.Second

// Wait implements [provision.Readiness]. It checks for readiness before the deadline: a ready store is
// never late.
func (r *Readiness) Wait(ctx context.Context, s provision.Store, deadline time.Time) error {
	if !r.c.workloads.synced() {
		return provision.Errorf(provision.CodeUnavailable, "the cluster's state has not been read yet")
	}
	changed, unsubscribe := r.c.workloads.notifier.subscribe(s.Namespace)
	defer unsubscribe()
	workloads, err := r.expectedWorkloads(ctx, s)
	if err != nil {
		return err
	}
	w := waiting{expected: workloads, deadline: deadline, began: time.Now(), since: map[problemKey]time.Time{}}
	for {
		now := time.Now()
		outcome := w.evaluate(r.c.workloads.view(s.Namespace, storeSelector(s)), now)
		if outcome.err != nil || outcome.deadlineExceeded {
			// The informers may be stale after an outage, and no store may become FAILED by a state from before it.
			live, err := r.c.liveView(ctx, s)
			if err != nil {
				return err
			}
			outcome = w.evaluate(live, now)
		}
		switch {
		case outcome.done:
			return outcome.err
		case outcome.deadlineExceeded:
			return r.deadlineError(ctx, s, outcome)
		}
		wake := time.NewTimer(outcome.next.Sub(now))
		select {
		case <-ctx.Done():
			wake.Stop()
			return context.Cause(ctx)
		case <-changed:
		case <-wake.C:
		}
		wake.Stop()
	}
}

func storeSelector(s provision.Store) labels.Selector {
	return labels.SelectorFromSet(labels.Set{provision.LabelStore: provision.StoreLabel(s.StoreID)})
}

// expectedWorkloads asks the API server itself for the store's workloads and their generations: the informers may not have
// seen yet what was just applied.
func (r *Readiness) expectedWorkloads(ctx context.Context, s provision.Store) (map[types.UID]expectedWorkload, error) {
	live, err := r.c.liveWorkloads(ctx, s)
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
		return nil, fmt.Errorf("release %s has no workload with the label %s: its chart must set it", s.Name, provision.LabelStore)
	}
	return found, nil
}

// deadlineError is the error of a wait whose deadline has passed. Volume problems show in claims and events that no informer
// watches, so they are read now, once.
func (r *Readiness) deadlineError(ctx context.Context, s provision.Store, o outcome) error {
	if len(o.problems) == 0 || o.problems[0].code == provision.CodeVolume {
		if found := r.volumeProblems(ctx, s); len(found) > 0 {
			o.problems, o.duration = found, time.Since(found[0].began)
		}
	}
	code, text := provision.CodeTimeout, append(o.incomplete, o.activities...)
	if len(o.problems) > 0 {
		code, text = o.problems[0].code, append(o.incomplete, o.problems[0].message(o.duration))
	}
	return provision.Errorf(code, "%s was not ready in time: %s", s.Name, strings.Join(text, "; "))
}

// volumeProblems returns the claims that are not bound, with the message of the storage system, and the volumes that cannot
// be mounted.
func (r *Readiness) volumeProblems(ctx context.Context, s provision.Store) []problem {
	core := r.c.client.CoreV1()
	claims, err := core.PersistentVolumeClaims(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	events, err := core.Events(s.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return nil
	}
	return volumeProblemsIn(claims.Items, events.Items)
}

func volumeProblemsIn(claims []corev1.PersistentVolumeClaim, events []corev1.Event) []problem {
	var found []problem
	for _, claim := range claims {
		if claim.Status.Phase != corev1.ClaimPending {
			continue
		}
		p := problem{code: provision.CodeVolume, object: "volume claim " + claim.Name, text: "is not bound", reason: "Pending",
			began: claim.CreationTimestamp.Time}
		for _, event := range events {
			if event.InvolvedObject.UID == claim.UID {
				p.text, p.reason = "is not bound: "+sanitize(event.Message), event.Reason
			}
		}
		found = append(found, p)
	}
	for _, event := range events {
		if event.Reason == "FailedMount" || event.Reason == "FailedAttachVolume" {
			found = append(found, problem{code: provision.CodeVolume, object: event.InvolvedObject.Name, text: sanitize(event.Message),
				reason: event.Reason, began: event.FirstTimestamp.Time})
		}
	}
	return found
}
