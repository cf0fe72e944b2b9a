//go:build !mutant_fence

package cluster

// fencing is false only in a build for `make chaos-mutants`.
const fencing = true
