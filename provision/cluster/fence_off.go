//go:build mutant_fence

package cluster

const fencing = false
