package cluster

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
)

// How long a problem may last before it is final. What an autoscaler, a registry or a storage system may still mend has
// the whole readiness budget.
const (
	imagePatience = 60 * time.Second
	quotaPatience = 30 * time.Second
	crashRestarts = 5
	wholeBudget   = time.Duration(1<<63 - 1)
)

// problem is something that keeps a pod from becoming ready.
type problem struct {
	code     provision.Code // what it is called when it is final, early or at the deadline
	object   string         // whose it is; with the code, it makes it the same problem at another moment
	text     string         // what happened to the object
	reason   string         // Kubernetes' own word for it
	patience time.Duration  // how long it may last before it is final
	began    time.Time      // where the cluster says when; else it is the first look that showed it
}

// say names object, event and duration: mariadb-0: image "mariadb:99" not found (ImagePullBackOff for 1m0s).
func (p problem) say(lasted time.Duration) string {
	return fmt.Sprintf("%s: %s (%s for %s)", p.object, p.text, p.reason, lasted.Round(time.Second))
}

// problems are what the view shows of the current revisions of the workloads that are not complete.
func (v view) problems(all []workload) []problem {
	var found []problem
	for _, w := range all {
		if w.lack() == "" {
			continue
		}
		found = append(found, v.refusedPods(w)...)
		for _, pod := range v.podsOf(w) {
			found = append(found, podProblems(pod)...)
		}
	}
	return found
}

// refusedPods says why the workload's pods could not be created: a quota, a limit range, an admission rule. A Deployment
// has a condition for it, a StatefulSet only events.
func (v view) refusedPods(w workload) []problem {
	if w.observed < w.generation || w.total >= w.desired && w.updated >= w.desired {
		return nil
	}
	message := cmp.Or(w.failure, v.lastRefusal(w))
	if message == "" {
		return nil
	}
	p := problem{code: provision.CodeQuota, object: w.String(), text: "its pods are refused: " + clean(message),
		reason: reasonFailedCreate, patience: wholeBudget}
	if strings.Contains(message, "forbidden") || strings.Contains(message, "denied") {
		p.patience = quotaPatience
	}
	return []problem{p}
}

// lastRefusal is the newest event about a pod or claim of the workload that could not be created.
func (v view) lastRefusal(w workload) string {
	var newest *corev1.Event
	for _, event := range v.events {
		about := event.Reason == reasonFailedCreate && slices.Contains(w.owners, event.InvolvedObject.UID)
		if about && (newest == nil || eventTime(event).After(eventTime(newest))) {
			newest = event
		}
	}
	if newest == nil {
		return ""
	}
	return newest.Message
}

func podProblems(pod *corev1.Pod) []problem {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return []problem{unscheduled(pod, c)}
		}
	}
	var found []problem
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if p, ok := containerProblem(pod, status); ok {
			found = append(found, p)
		}
	}
	return found
}

func unscheduled(pod *corev1.Pod, c corev1.PodCondition) problem {
	code := provision.CodeUnschedulable
	if strings.Contains(strings.ToLower(c.Message), "volume") { // unbound claims, node affinity of a volume
		code = provision.CodeVolume
	}
	return problem{code: code, object: pod.Name, text: "no node takes it: " + clean(c.Message), reason: cmp.Or(c.Reason, "Unschedulable"),
		patience: wholeBudget}
}

func containerProblem(pod *corev1.Pod, status corev1.ContainerStatus) (problem, bool) {
	if status.State.Terminated != nil {
		return crashed(pod, status, status.State.Terminated.Reason)
	}
	if status.State.Waiting == nil {
		return problem{}, false
	}
	switch reason := status.State.Waiting.Reason; reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ErrInspectImage", "RegistryUnavailable":
		return image(pod, status), true
	case "CrashLoopBackOff":
		return crashed(pod, status, reason)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		text := "container " + status.Name + " cannot be started: " + clean(status.State.Waiting.Message)
		return problem{code: provision.CodeCrash, object: pod.Name, text: text, reason: reason, patience: wholeBudget}, true
	}
	return problem{}, false
}

// networkTrouble are words of a pull that failed on its way: the registry may be back in time.
var networkTrouble = regexp.MustCompile(`(?i)timeout|timed out|connection (refused|reset)|no such host|i/o|EOF|TLS handshake|` +
	`too ?many ?requests|toomanyrequests|unavailable|\b50[0-9]\b|network is unreachable|server misbehaving`)

func image(pod *corev1.Pod, status corev1.ContainerStatus) problem {
	waiting := status.State.Waiting
	p := problem{code: provision.CodeImage, object: pod.Name, reason: waiting.Reason, patience: imagePatience}
	what := fmt.Sprintf("image %q ", status.Image)
	lower := strings.ToLower(waiting.Message)
	switch {
	case waiting.Reason == "InvalidImageName":
		p.text = what + "is not a valid name"
	case networkTrouble.MatchString(waiting.Message):
		p.text, p.patience = what+"cannot be pulled: the registry does not answer", wholeBudget
	case strings.Contains(lower, "not found") || strings.Contains(lower, "manifest unknown"):
		p.text = what + "not found"
	case strings.Contains(lower, "denied") || strings.Contains(lower, "unauthorized"):
		p.text = what + "may not be pulled: the registry refuses access"
	default:
		p.text = what + "cannot be pulled"
	}
	return p
}

// crashed is a container that has ended with a failure. It is final after crashRestarts restarts.
func crashed(pod *corev1.Pod, status corev1.ContainerStatus, reason string) (problem, bool) {
	ended := status.State.Terminated
	if ended == nil {
		ended = status.LastTerminationState.Terminated
	}
	if ended == nil || ended.ExitCode == 0 && status.State.Terminated != nil { // an init container that has done its work
		return problem{}, false
	}
	text := fmt.Sprintf("container %s ended %d times, last with exit code %d", status.Name, status.RestartCount+1, ended.ExitCode)
	if ended.Reason != "" && ended.Reason != "Error" {
		text += ", " + ended.Reason
	}
	if ended.Message != "" {
		text += ": " + clean(ended.Message)
	}
	p := problem{code: provision.CodeCrash, object: pod.Name + "/" + status.Name, text: text, reason: cmp.Or(reason, "Error"),
		patience: wholeBudget}
	if status.RestartCount >= crashRestarts {
		p.patience = 0
	}
	return p, true
}

var (
	userInfo = regexp.MustCompile(`://[^/\s@]*@`)
	secretly = regexp.MustCompile(`(?i)((?:password|passwd|secret|token|key)["']?\s*[=:]\s*)\S+`)
)

const longestText = 300

// clean makes a message from the cluster fit for the caller: one line, not too long, and without what looks like a
// credential. A container's last words may hold anything.
func clean(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	message = userInfo.ReplaceAllString(message, "://***@")
	message = secretly.ReplaceAllString(message, "${1}***")
	if runes := []rune(message); len(runes) > longestText {
		message = string(runes[:longestText]) + "…"
	}
	return message
}
