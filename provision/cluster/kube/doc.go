// Package kube is the connection to one Kubernetes API server: login, write slots, port-forwards, and the codes of its
// errors. It knows no stores' objects and no Helm.
//
// All requests share one connection pool. Its transport checks the fence of the run ([provision.FenceOf]) before every
// write, including the writes of Helm's own release records: once the lease may have expired, no request that changes
// something leaves the process.
package kube
