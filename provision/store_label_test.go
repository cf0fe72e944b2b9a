package provision

import (
	"regexp"
	"testing"
)

func TestStoreLabelFitsALabelValueAndTellsStoresApart(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"a", "A", "a.b", "a_b", "a-b", "0123456789012345678901234567890123456789012345678901234567890ab"} {
		label := StoreLabel(id)
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(label) {
			t.Errorf("StoreLabel(%q) = %q, want 32 lower-case hex digits", id, label)
		}
		if other, taken := seen[label]; taken {
			t.Errorf("stores %q and %q share the label %q", id, other, label)
		}
		seen[label] = id
	}
	if again := StoreLabel("a"); seen[again] != "a" {
		t.Error("the label of a store differs from call to call")
	}
}
