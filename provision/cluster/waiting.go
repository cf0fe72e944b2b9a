package cluster

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"orchestrator/provision"
)

// waiting is what one wait for readiness remembers from look to look. It asks nobody: look is a function of what the
// informers show and of the time.
type waiting struct {
	wanted   map[types.UID]wanted // the release's workloads
	began    time.Time
	deadline time.Time
	since    map[problemKey]time.Time // when each problem that is still there was first seen
}

// wanted is a workload that has to be seen in at least the generation that was applied.
type wanted struct {
	what       string
	generation int64
}

type problemKey struct {
	code   provision.Code
	object string
}

// outcome is what follows from one look: done (ready, or a final error), late, or neither, and then look again at next
// or when something changed.
type outcome struct {
	done bool
	err  error
	next time.Time

	late     bool
	lacks    []string      // what each workload lacks
	notes    []string      // what the pods are doing
	problems []problem     // what keeps them from it, the most telling one first
	lasted   time.Duration // the first problem's duration
}

func (w *waiting) look(v view, now time.Time) outcome {
	all := v.workloads()
	o := outcome{next: w.deadline, lacks: lacks(all)}
	if behind := w.behind(all); behind != "" {
		// What the informers show is older than what was applied: nothing can be said but that it is late.
		o.next = later(w.deadline, w.began.Add(freshness))
		o.late, o.lacks = !now.Before(o.next), []string{behind}
		return o
	}
	if len(o.lacks) == 0 {
		return outcome{done: true}
	}
	for _, p := range w.remember(v.problems(all), now) {
		lasted := now.Sub(w.since[p.key()])
		if lasted >= p.patience {
			return outcome{done: true, err: provision.Errorf(p.code, "%s", p.say(lasted))}
		}
		if p.patience != wholeBudget {
			o.next = earlier(o.next, w.since[p.key()].Add(p.patience))
		}
		if o.problems == nil {
			o.lasted = lasted
		}
		o.problems = append(o.problems, p)
	}
	o.notes = v.notes(all)
	o.late = !now.Before(w.deadline)
	return o
}

// behind names a workload that the informers do not show as it was applied: not yet, or not any more.
func (w *waiting) behind(all []workload) string {
	seen := map[types.UID]int64{}
	for _, each := range all {
		seen[each.uid] = each.generation
	}
	for uid, want := range w.wanted {
		if generation, there := seen[uid]; !there {
			return want.what + " is not there"
		} else if generation < want.generation {
			return want.what + ": its last change has not been seen"
		}
	}
	return ""
}

func (p problem) key() problemKey { return problemKey{p.code, p.object} }

// remember keeps the time of the problems that are still there, and forgets those that have gone.
func (w *waiting) remember(found []problem, now time.Time) []problem {
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

func lacks(all []workload) []string {
	var texts []string
	for _, w := range all {
		if lack := w.lack(); lack != "" {
			texts = append(texts, lack)
		}
	}
	return texts
}

// notes say what the containers of unfinished workloads are doing, for a timeout whose cause is not known.
func (v view) notes(all []workload) []string {
	var texts []string
	for _, w := range all {
		if w.lack() == "" {
			continue
		}
		for _, pod := range v.podsOf(w) {
			if doing := doing(pod); doing != "" {
				texts = append(texts, fmt.Sprintf("pod %s: %s", pod.Name, doing))
			}
		}
	}
	return texts
}

// doing is the first thing that a pod is not done with: init containers come before the others.
func doing(pod *corev1.Pod) string {
	for _, status := range pod.Status.InitContainerStatuses {
		if status.State.Terminated == nil && !status.Ready {
			return containerDoing("init container", status)
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if !status.Ready {
			return containerDoing("container", status)
		}
	}
	if len(pod.Status.ContainerStatuses) == 0 {
		return fmt.Sprintf("%s, no container started", pod.Status.Phase)
	}
	if !isReady(pod) {
		return fmt.Sprintf("%s, not ready", pod.Status.Phase)
	}
	return ""
}

func containerDoing(kind string, status corev1.ContainerStatus) string {
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
