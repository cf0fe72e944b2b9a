// Package worker decides when a store is run, how often, and who is told.
//
// A task names a generation. Its handler enters the store's gate, lets a [Runner] carry the operation out, writes the
// verdict, and only then lets the task go; a delivery tells the verdict to the backend; the sweeper speaks for those
// who died in between. Nothing here knows Kubernetes.
package worker
