// Package cluster creates and deletes stores on Kubernetes. It implements the interfaces that the steps of package
// provision need. Only this folder imports Helm and client-go.
//
// One [Cluster] serves a whole process. Imports point one way: this package, which holds what a store owns (namespace,
// credentials, volumes, the way to its shop, its state), imports the packages helm (charts and releases) and readiness (when
// is a rollout complete, and what keeps it from that); all three import package kube (the connection to the API server).
//
// Every write goes through package kube, which checks the fence of the run first. Errors carry the codes of package
// provision: [kube.WrapError] maps what the API server rejects and what does not answer; an error without a code is
// unforeseen.
package cluster
