// Package cluster makes stores exist on Kubernetes. It implements what the steps of package provision need, and it is
// the only package that imports Helm and client-go.
//
// One [Cluster] serves a whole process. It shares one connection pool, one discovery cache and one set of informers
// among all runs; everything that Helm changes while it works is made anew for each operation.
//
// Every write of a run passes the run's fence ([provision.FenceOf]) in the transport, Helm's own record client
// included: once the lease may have run out, no request that changes something leaves the process.
//
// Errors carry the codes of package provision. What the API server refuses, what does not answer and what is in the way
// have their codes in errors.go; an error without a code is one nobody foresaw.
package cluster
