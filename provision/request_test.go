package provision

import "testing"

func TestReleaseNameBeginsWithALetter(t *testing.T) {
	for name, want := range map[string]string{"": "", "shop": "shop", "x1": "x1", "1": "s-1", "42-shop": "s-42-shop",
		"12345678901234567890123456789012345678901234567890-23": "s-12345678901234567890123456789012345678901234567890"} {
		if got := (Request{Name: name}).ReleaseName(); got != want {
			t.Errorf("%q is released as %q, want %q", name, got, want)
		}
	}
}
