// Package provision defines the words for a store's life and the procedure that creates or deletes a store.
//
// It knows no queue, no Helm and no Kubernetes: it declares what a step needs as small interfaces ([Namespaces],
// [Credentials], [Releases], [Readiness], [Volumes], [Shops]) and runs the two lists of steps over them ([Runner]). It
// imports the standard library only, so that every other package may import it.
//
// Every step looks before it acts: it reads the state of the cluster and makes the smallest change that is needed. A run
// that starts again from the top, after a crash or a retry, passes quickly over what is already right.
package provision
