package provision_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"orchestrator/provision"
)

// TestEveryCodeIsExplained: the table of codes names each that an outcome may have, the final ones first.
func TestEveryCodeIsExplained(t *testing.T) {
	text, err := os.ReadFile("../docs/codes.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []provision.Code
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|").FindAllSubmatch(text, -1) {
		explained = append(explained, provision.Code(row[1]))
	}
	if !slices.Equal(explained, provision.Codes) {
		t.Errorf("explained are %v, want %v", explained, provision.Codes)
	}
	for i, code := range provision.Codes {
		if code.Final() != (i < 10) {
			t.Errorf("%s: final is %t", code, code.Final())
		}
	}
}
