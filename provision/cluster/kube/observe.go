package kube

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Observer is told what is asked of an API server, to count it. It is called by many goroutines at the same time.
type Observer interface {
	// Request is told of each request but watches: its method, the kind of resource, one of a few or "other", and the status of the answer; 0: none came.
	Request(method, resource string, status int, took time.Duration)
	// Helm is told of each operation of Helm, and how it has ended.
	Helm(operation string, err error, took time.Duration)
	// Waiting is told of a write of a class that begins or ends to wait for a slot, by 1 or -1.
	Waiting(class string, change int)
	// WriteLimit is told how many slots there are, at first and when that changes.
	WriteLimit(slots int)
}

// unobserved is the observer where there is none.
type unobserved struct{}

func (unobserved) Request(string, string, int, time.Duration) {}
func (unobserved) Helm(string, error, time.Duration)          {}
func (unobserved) Waiting(string, int)                        {}
func (unobserved) WriteLimit(int)                             {}

// Observer returns what is told of the requests.
func (c *Client) Observer() Observer {
	if c.observer == nil {
		return unobserved{}
	}
	return c.observer
}

// otherResource is what a request is for that is counted by no name of its own.
const otherResource = "other"

// resources are those that are counted by name.
var resources = []string{"configmaps", "cronjobs", "deployments", "events", "ingresses", "jobs", "namespaces", "persistentvolumeclaims", "pods", "replicasets",
	"rolebindings", "secrets", "serviceaccounts", "services", "statefulsets"}

// resourceOf is the resource in the path of a request: /api/v1/…, /apis/GROUP/VERSION/…, with or without a namespace.
func resourceOf(path string) string {
	_, path, api := strings.Cut(path, "/api")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	skip := 1 // the version
	if strings.HasPrefix(path, "s/") {
		parts, skip = parts[1:], 2
	}
	if !api || len(parts) <= skip {
		return otherResource
	}
	parts = parts[skip:]
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	if slices.Contains(resources, parts[0]) {
		return parts[0]
	}
	return otherResource
}

// observed tells an observer of the requests that pass, and the write slots how the API server answers.
type observed struct {
	next     http.RoundTripper
	observer Observer
	writes   *writeSlots
}

// RoundTrip implements [http.RoundTripper].
func (o observed) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Query().Get("watch") == "true" {
		return o.next.RoundTrip(req)
	}
	start, status := time.Now(), 0
	res, err := o.next.RoundTrip(req)
	if err == nil {
		status = res.StatusCode
	}
	took := time.Since(start)
	o.observer.Request(req.Method, resourceOf(req.URL.Path), status, took)
	o.writes.answered(req.Method, status, err, took)
	return res, err
}
