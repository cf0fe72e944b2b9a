//go:build mutant_sweeper

package worker

const sweeping = false
