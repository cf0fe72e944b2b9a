// Package provision is the vocabulary of a store's life and the procedure that makes a store exist or be gone.
//
// It knows no queue, no Helm and no Kubernetes: it names what a step needs in small interfaces ([Namespaces],
// [Credentials], [Releases], [Readiness], [Volumes], [Shops]) and runs the two step lists over them ([Runner]). It
// imports the standard library only, so that every other package may import it.
//
// Every step looks before it acts: it asks what is true and does the least that makes it right. A run that starts again
// from the top, after a crash or a retry, skips through what is already right.
package provision
