// Package charts holds the Helm charts of the stores, embedded, so that a binary needs no files beside it.
package charts

import "embed"

// FS holds one folder per chart below store/. The folder store/common is a library chart with what the charts of the stores
// share. They depend on it by file://../common; the code that loads a chart puts it in place.
//
//go:embed all:store
var FS embed.FS

// Common is the name of the library chart.
const Common = "common"
