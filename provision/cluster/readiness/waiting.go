package readiness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// waiting is the state of one wait for readiness. It makes no requests: evaluate depends only on the view and the time.
type waiting struct {
	expected map[types.UID]expectedWorkload // the release's workloads
	began    time.Time
	deadline time.Time
	since    map[problemKey]time.Time // when each current problem was first seen
	patient  bool                     // the store has waited on a hold: what Kubernetes tries again ever more rarely is no failure before the deadline
	missing  time.Time                // since when an expected workload is not there; zero if all are
}

// expectedWorkload is a workload that must be seen in at least the generation that was applied.
type expectedWorkload struct {
	name       string
	generation int64
}

type problemKey struct {
	code   provision.Code
	object string
}

// outcome is the result of one evaluation: done (ready, or a final error), deadlineExceeded, or neither; then the next
// evaluation is at next or after a change.
type outcome struct {
	done bool
	err  error
	next time.Time

	deadlineExceeded bool
	incomplete       []string      // what each workload still waits for
	activities       []string      // what the pods are doing
	problems         []problem     // what keeps them from being ready, the most significant one first
	duration         time.Duration // the first problem's duration
}

// waits is what is waited for: what is not ready, and the most significant reason.
func (o outcome) waits() string {
	text := o.incomplete
	if len(o.problems) > 0 {
		text = append(slices.Clone(text), o.problems[0].message(o.duration))
	}
	return strings.Join(text, "; ")
}

func (w *waiting) evaluate(v view, now time.Time) outcome {
	all := v.workloads()
	o := outcome{next: w.deadline, incomplete: allIncomplete(all)}
	if stale, missing := w.stale(all); stale != "" {
		return w.evaluateStale(stale, missing, now)
	}
	w.missing = time.Time{}
	if len(o.incomplete) == 0 {
		return outcome{done: true}
	}
	for _, p := range w.trackSince(append(v.problems(all), v.overduePods(now)...), now) {
		duration := now.Sub(w.since[p.key()])
		if w.patient && (p.code == provision.CodeImage || p.code == provision.CodeQuota) {
			p.grace = untilDeadline
		}
		if duration >= p.grace {
			return outcome{done: true, err: provision.Errorf(p.code, "%s", p.message(duration))}
		}
		if p.grace != untilDeadline {
			o.next = earlier(o.next, w.since[p.key()].Add(p.grace))
		}
		if o.problems == nil {
			o.duration = duration
		}
		o.problems = append(o.problems, p)
	}
	o.activities = v.podActivities(all)
	o.deadlineExceeded = !now.Before(w.deadline)
	return o
}

// evaluateStale is evaluate for a view that is behind what was applied. Nothing but the deadline can be evaluated by it, and
// that a workload is not there any more: the next run applies the release again, so that ends this one at once.
func (w *waiting) evaluateStale(stale string, missing bool, now time.Time) outcome {
	end := later(w.deadline, w.began.Add(cacheSyncTimeout))
	o := outcome{next: end, deadlineExceeded: !now.Before(end), incomplete: []string{stale}}
	if !missing {
		w.missing = time.Time{}
		return o
	}
	if w.missing.IsZero() {
		w.missing = now
	}
	removed := w.missing.Add(cacheSyncTimeout)
	if now.Before(removed) || o.deadlineExceeded {
		o.next = earlier(end, removed)
		return o
	}
	return outcome{done: true, err: provision.Errorf(provision.CodeUnavailable, "%s any more: it was removed after the release was applied", stale)}
}

// stale names a workload that the view does not show as it was applied: not yet, or no longer.
func (w *waiting) stale(all []workload) (text string, missing bool) {
	seen := map[types.UID]int64{}
	for _, each := range all {
		seen[each.uid] = each.generation
	}
	for uid, want := range w.expected {
		if generation, there := seen[uid]; !there {
			return want.name + " does not exist", true
		} else if generation < want.generation {
			text = want.name + ": its last change has not been seen"
		}
	}
	return text, false
}

func (p problem) key() problemKey { return problemKey{p.code, p.object} }

// trackSince keeps the start of the problems that persist, and drops those that are solved.
func (w *waiting) trackSince(found []problem, now time.Time) []problem {
	since := map[problemKey]time.Time{}
	for _, p := range found {
		since[p.key()] = now
		if before, known := w.since[p.key()]; known {
			since[p.key()] = before
		}
	}
	w.since = since
	return found
}

func allIncomplete(all []workload) []string {
	var texts []string
	for _, w := range all {
		if text := w.incomplete(); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// podActivities says what the containers of incomplete workloads are doing, for a timeout of unknown cause.
func (v view) podActivities(all []workload) []string {
	var texts []string
	for _, w := range all {
		if w.incomplete() == "" {
			continue
		}
		for _, pod := range v.podsOf(w) {
			if activity := podActivity(pod); activity != "" {
				texts = append(texts, fmt.Sprintf("pod %s: %s", pod.Name, activity))
			}
		}
	}
	return texts
}

// Explain says what keeps a pod that belongs to no workload from running to its end, or what it is doing.
func Explain(pod *corev1.Pod) string {
	for _, p := range podProblems(pod) {
		return p.text
	}
	return podActivity(pod)
}

// podActivity describes the first container that is not ready or done; init containers come before the others.
func podActivity(pod *corev1.Pod) string {
	for _, status := range pod.Status.InitContainerStatuses {
		if status.State.Terminated == nil && !status.Ready {
			return containerActivity("init container", status)
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if !status.Ready {
			return containerActivity("container", status)
		}
	}
	if len(pod.Status.ContainerStatuses) == 0 {
		return fmt.Sprintf("%s, no container started", pod.Status.Phase)
	}
	if !PodReady(pod) {
		return fmt.Sprintf("%s, not ready", pod.Status.Phase)
	}
	return ""
}

func containerActivity(kind string, status corev1.ContainerStatus) string {
	switch {
	case status.State.Waiting != nil:
		return fmt.Sprintf("%s %s waiting: %s", kind, status.Name, status.State.Waiting.Reason)
	case status.State.Terminated != nil:
		return fmt.Sprintf("%s %s ended with exit code %d", kind, status.Name, status.State.Terminated.ExitCode)
	}
	return fmt.Sprintf("%s %s running, not ready", kind, status.Name)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
