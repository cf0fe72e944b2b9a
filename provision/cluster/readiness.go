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

// Readiness implements [provision.Readiness] over the shared informers. It never asks in intervals: it is woken by what
// changes in the namespace, and by the moment at which a problem will have lasted too long.
type Readiness struct{ c *Cluster }

// Readiness is the cluster's [provision.Readiness]. [Cluster.Start] must have been called.
func (c *Cluster) Readiness() *Readiness { return &Readiness{c} }

// freshness is how long a run that comes after its deadline waits for the informers to show what the API server has:
// a store that became ready in time must not be called late because a worker has just started.
const freshness = 5 * time.Second

// Wait implements [provision.Readiness]. Ready is looked for before the deadline is: a store that is ready is ready.
func (r *Readiness) Wait(ctx context.Context, s provision.Store, deadline time.Time) error {
	if !r.c.watch.synced() {
		return provision.Errorf(provision.CodeUnavailable, "the cluster's state has not been read yet")
	}
	rung, leave := r.c.watch.bell.listen(s.Namespace)
	defer leave()
	workloads, err := r.wanted(ctx, s)
	if err != nil {
		return err
	}
	w := waiting{wanted: workloads, deadline: deadline, began: time.Now(), since: map[problemKey]time.Time{}}
	for {
		now := time.Now()
		outcome := w.look(r.c.watch.view(s.Namespace, storeSelector(s)), now)
		if outcome.err != nil || outcome.late {
			// The informers may be behind after an outage, and nobody may be told FAILED by what was true before it.
			live, err := r.c.liveView(ctx, s)
			if err != nil {
				return err
			}
			outcome = w.look(live, now)
		}
		switch {
		case outcome.done:
			return outcome.err
		case outcome.late:
			return r.late(ctx, s, outcome)
		}
		wake := time.NewTimer(outcome.next.Sub(now))
		select {
		case <-ctx.Done():
			wake.Stop()
			return context.Cause(ctx)
		case <-rung:
		case <-wake.C:
		}
		wake.Stop()
	}
}

func storeSelector(s provision.Store) labels.Selector {
	return labels.SelectorFromSet(labels.Set{provision.LabelStore: provision.StoreLabel(s.StoreID)})
}

// wanted asks the API server itself which workloads the store has, and in which generation: the informers may not have
// seen yet what was applied a moment ago.
func (r *Readiness) wanted(ctx context.Context, s provision.Store) (map[types.UID]wanted, error) {
	live, err := r.c.liveWorkloads(ctx, s)
	if err != nil {
		return nil, err
	}
	found := map[types.UID]wanted{}
	note := func(kind string, meta metav1.ObjectMeta) {
		if meta.DeletionTimestamp == nil {
			found[meta.UID] = wanted{kind + " " + meta.Name, meta.Generation}
		}
	}
	for _, d := range live.deployments {
		note("deployment", d.ObjectMeta)
	}
	for _, set := range live.statefulSets {
		note("statefulset", set.ObjectMeta)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("release %s has no workload with the label %s: its chart must set it", s.Name, provision.LabelStore)
	}
	return found, nil
}

// late is the error of a wait whose deadline has come. Volumes have their causes in claims and events that nobody
// watches, so these are asked for now, once.
func (r *Readiness) late(ctx context.Context, s provision.Store, o outcome) error {
	if len(o.problems) == 0 || o.problems[0].code == provision.CodeVolume {
		if found := r.volumeProblems(ctx, s); len(found) > 0 {
			o.problems, o.lasted = found, time.Since(found[0].began)
		}
	}
	code, text := provision.CodeTimeout, append(o.lacks, o.notes...)
	if len(o.problems) > 0 {
		code, text = o.problems[0].code, append(o.lacks, o.problems[0].say(o.lasted))
	}
	return provision.Errorf(code, "%s was not ready in time: %s", s.Name, strings.Join(text, "; "))
}

// volumeProblems are the claims that are not bound, with what the storage says about them, and volumes that cannot be
// mounted.
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
	return unboundVolumes(claims.Items, events.Items)
}

func unboundVolumes(claims []corev1.PersistentVolumeClaim, events []corev1.Event) []problem {
	var found []problem
	for _, claim := range claims {
		if claim.Status.Phase != corev1.ClaimPending {
			continue
		}
		p := problem{code: provision.CodeVolume, object: "volume claim " + claim.Name, text: "is not bound", reason: "Pending",
			began: claim.CreationTimestamp.Time}
		for _, event := range events {
			if event.InvolvedObject.UID == claim.UID {
				p.text, p.reason = "is not bound: "+clean(event.Message), event.Reason
			}
		}
		found = append(found, p)
	}
	for _, event := range events {
		if event.Reason == "FailedMount" || event.Reason == "FailedAttachVolume" {
			found = append(found, problem{code: provision.CodeVolume, object: event.InvolvedObject.Name, text: clean(event.Message),
				reason: event.Reason, began: event.FirstTimestamp.Time})
		}
	}
	return found
}
