// Package readiness waits until the workloads of a store are ready, and says what keeps them from it.
//
// [Watcher] watches the workloads of all stores with one set of informers; each waiting run evaluates its own namespace. A
// problem that cannot solve itself ends a wait before its deadline.
package readiness
