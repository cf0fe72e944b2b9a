//go:build !mutant_sweeper

package worker

// sweeping is false only in a build for `make chaos-mutants`.
const sweeping = true
