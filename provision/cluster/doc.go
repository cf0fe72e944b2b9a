// Package cluster creates and deletes stores on Kubernetes. It implements the interfaces that the steps of package
// provision need, and it is the only package that imports Helm and client-go.
//
// One [Cluster] serves a whole process. All runs share its connection pool, its discovery cache and its informers;
// whatever Helm modifies while it works is created for each operation.
//
// The transport checks the fence of the run ([provision.FenceOf]) before every write, including the writes of Helm's own
// release records: once the lease may have expired, no request that changes something leaves the process.
//
// Errors carry the codes of package provision. errors.go maps what the API server rejects, what does not answer and what
// is in the way to its code; an error without a code is unforeseen.
package cluster
