package readiness

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"orchestrator/provision"
	"orchestrator/provision/cluster/kube"
)

// How long a problem may last before it is final. Problems that an autoscaler, a registry or a storage system may still
// solve have until the readiness deadline.
const (
	imageGrace    = 60 * time.Second
	quotaGrace    = 30 * time.Second
	crashRestarts = 5
	overdueGrace  = 30 * time.Second // after a pod's own grace period
	untilDeadline = time.Duration(1<<63 - 1)
)

// problem is something that keeps a pod from becoming ready.
type problem struct {
	code   provision.Code // of the error, whether the problem ends the wait early or is found at the deadline
	object string         // the affected object; with the code, it identifies the problem over time
	text   string         // what happened to the object
	reason string         // as Kubernetes calls it
	grace  time.Duration  // how long it may last before it is final
	began  time.Time      // if the cluster reports it; else the problem began when it was first seen
}

// message names the object, the event and its duration: mariadb-0: image "mariadb:99" not found (ImagePullBackOff for 1m0s).
func (p problem) message(duration time.Duration) string {
	return fmt.Sprintf("%s: %s (%s for %s)", p.object, p.text, p.reason, duration.Round(time.Second))
}

// problems returns the problems of the current revisions of incomplete workloads.
func (v view) problems(all []workload) []problem {
	var found []problem
	for _, w := range all {
		if w.incomplete() == "" {
			continue
		}
		found = append(found, v.podCreationProblems(w)...)
		for _, pod := range v.podsOf(w) {
			found = append(found, podProblems(pod)...)
		}
	}
	return found
}

// podCreationProblems says why the workload's pods cannot be created: a quota, a limit range, an admission rule. A
// Deployment has a condition for it, a StatefulSet only events.
func (v view) podCreationProblems(w workload) []problem {
	if w.observed < w.generation || w.total >= w.desired && w.updated >= w.desired {
		return nil
	}
	message := cmp.Or(w.failure, v.lastCreateFailure(w))
	if message == "" {
		return nil
	}
	p := problem{code: provision.CodeQuota, object: w.String(), text: "its pods cannot be created: " + kube.Sanitize(message),
		reason: reasonFailedCreate, grace: untilDeadline}
	if strings.Contains(message, "forbidden") || strings.Contains(message, "denied") {
		p.grace = quotaGrace
	}
	return []problem{p}
}

// lastCreateFailure returns the newest event about a pod or claim of the workload that could not be created.
func (v view) lastCreateFailure(w workload) string {
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

// overduePods returns the pods that should be gone by now. Nothing but a node that does not answer keeps one for so long, and
// a pod of a StatefulSet, or one with a volume, has no successor until it is gone.
func (v view) overduePods(now time.Time) []problem {
	var found []problem
	for _, pod := range v.pods {
		if pod.DeletionTimestamp != nil && now.Sub(pod.DeletionTimestamp.Time) >= overdueGrace {
			found = append(found, problem{code: provision.CodeTimeout, object: pod.Name, reason: "Terminating", grace: untilDeadline,
				text: "does not end on node " + nodeOf(pod) + ", which may be gone"})
		}
	}
	return found
}

func nodeOf(pod *corev1.Pod) string { return cmp.Or(pod.Spec.NodeName, "(none)") }

// failedPod is a pod that the kubelet or the node controller has given up: it was evicted, or its node is lost.
func failedPod(pod *corev1.Pod) (problem, bool) {
	reason := pod.Status.Reason
	if reason != "NodeLost" && (pod.Status.Phase != corev1.PodFailed || reason == "") {
		return problem{}, false
	}
	return problem{code: provision.CodeUnschedulable, object: pod.Name, reason: reason, grace: untilDeadline,
		text: "was given up on node " + nodeOf(pod) + ": " + kube.Sanitize(cmp.Or(pod.Status.Message, "no reason is given"))}, true
}

func podProblems(pod *corev1.Pod) []problem {
	if p, ok := failedPod(pod); ok {
		return []problem{p}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return []problem{schedulingProblem(pod, c)}
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

func schedulingProblem(pod *corev1.Pod, c corev1.PodCondition) problem {
	code := provision.CodeUnschedulable
	if strings.Contains(strings.ToLower(c.Message), "volume") { // unbound claims, node affinity of a volume
		code = provision.CodeVolume
	}
	return problem{code: code, object: pod.Name, text: "no node can run it: " + kube.Sanitize(c.Message), reason: cmp.Or(c.Reason, "Unschedulable"),
		grace: untilDeadline}
}

func containerProblem(pod *corev1.Pod, status corev1.ContainerStatus) (problem, bool) {
	if status.State.Terminated != nil {
		return crashProblem(pod, status, status.State.Terminated.Reason)
	}
	if status.State.Waiting == nil {
		return problem{}, false
	}
	switch reason := status.State.Waiting.Reason; reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ErrInspectImage", "RegistryUnavailable":
		return imageProblem(pod, status), true
	case "CrashLoopBackOff":
		return crashProblem(pod, status, reason)
	case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		text := "container " + status.Name + " cannot be started: " + kube.Sanitize(status.State.Waiting.Message)
		return problem{code: provision.CodeCrash, object: pod.Name, text: text, reason: reason, grace: untilDeadline}, true
	}
	return problem{}, false
}

// registryUnavailable matches failures of the network or the registry, which may recover in time.
var registryUnavailable = regexp.MustCompile(`(?i)timeout|timed out|connection (refused|reset)|no such host|i/o|EOF|TLS handshake|` +
	`too ?many ?requests|toomanyrequests|unavailable|\b50[0-9]\b|network is unreachable|server misbehaving`)

func imageProblem(pod *corev1.Pod, status corev1.ContainerStatus) problem {
	waiting := status.State.Waiting
	p := problem{code: provision.CodeImage, object: pod.Name, reason: waiting.Reason, grace: imageGrace}
	image := fmt.Sprintf("image %q ", status.Image)
	lower := strings.ToLower(waiting.Message)
	switch {
	case waiting.Reason == "InvalidImageName":
		p.text = image + "is not a valid name"
	case registryUnavailable.MatchString(waiting.Message):
		p.text, p.grace = image+"cannot be pulled: the registry does not answer", untilDeadline
	case strings.Contains(lower, "not found") || strings.Contains(lower, "manifest unknown"):
		p.text = image + "not found"
	case strings.Contains(lower, "denied") || strings.Contains(lower, "unauthorized"):
		p.text = image + "cannot be pulled: the registry refuses access"
	default:
		p.text = image + "cannot be pulled"
	}
	return p
}

// crashProblem is a container that has ended with a failure. It is final after crashRestarts restarts.
func crashProblem(pod *corev1.Pod, status corev1.ContainerStatus, reason string) (problem, bool) {
	ended := status.State.Terminated
	if ended == nil {
		ended = status.LastTerminationState.Terminated
	}
	if ended == nil || ended.ExitCode == 0 && status.State.Terminated != nil { // an init container that has completed
		return problem{}, false
	}
	text := fmt.Sprintf("container %s ended %d times, last with exit code %d", status.Name, status.RestartCount+1, ended.ExitCode)
	if ended.Reason != "" && ended.Reason != "Error" {
		text += ", " + ended.Reason
	}
	if ended.Message != "" {
		text += ": " + kube.SanitizeLog(ended.Message)
	}
	code := provision.CodeCrash
	if claims := claimsOf(pod, status.Name); diskFull.MatchString(ended.Message) && len(claims) > 0 {
		code, text = provision.CodeVolume, text+"; full is one of the volume claims "+strings.Join(claims, ", ")
	}
	p := problem{code: code, object: pod.Name + "/" + status.Name, text: text, reason: cmp.Or(reason, "Error"),
		grace: untilDeadline}
	if status.RestartCount >= crashRestarts {
		p.grace = 0
	}
	return p, true
}

// diskFull matches what programs say when a volume has no room, among them MariaDB, PostgreSQL and Valkey.
var diskFull = regexp.MustCompile(`(?i)no space left on device|disk( is)? full|errcode: 28\b|ENOSPC|disk quota exceeded`)

// claimsOf returns the volume claims that a container mounts.
func claimsOf(pod *corev1.Pod, container string) []string {
	var claims []string
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, mount := range c.VolumeMounts {
			for _, volume := range pod.Spec.Volumes {
				claim := volume.PersistentVolumeClaim
				if c.Name == container && volume.Name == mount.Name && claim != nil && !slices.Contains(claims, claim.ClaimName) {
					claims = append(claims, claim.ClaimName)
				}
			}
		}
	}
	return claims
}
