// Package charts holds the Helm charts of the stores, embedded, so that a binary needs no files beside it.
package charts

import "embed"

// FS holds one folder per chart below store/.
//
//go:embed all:store
var FS embed.FS
