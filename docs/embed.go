// Package docs has the documents that programs show.
package docs

import _ "embed"

// Runbook is runbook.md: a section for each alert.
//
//go:embed runbook.md
var Runbook []byte
