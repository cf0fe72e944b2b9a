package callback

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzReason keeps arbitrary answers around the secrets that were sent: neither is in the reason, not even its beginning at the end.
func FuzzReason(f *testing.F) {
	for _, seed := range []string{"", "PASS", "x TOKEN y", `{"password":"PASS","token":"TOKEN"}`, "PASSPASS", "\xffPASS", "a PAS", strings.Repeat("x", 1020) + "PASS"} {
		f.Add(400, []byte(seed))
	}
	const token, password = "t0ken-abcdef", "p4ssw0rd-xyz"
	f.Fuzz(func(t *testing.T, status int, answer []byte) {
		text := strings.NewReplacer("PASS", password, "TOKEN", token).Replace(string(answer))
		text = text[:min(len(text), keptOfAnswer)]
		got := reason(status, hide(text, len(text) == keptOfAnswer, []string{token, password}))
		if strings.Contains(got, token) || strings.Contains(got, password) || !utf8.ValidString(got) {
			t.Errorf("%q became %q", text, got)
		}
		if after := retryAfter(text, time.Unix(0, 0)); after < 0 || after > maxRetryAfter {
			t.Errorf("Retry-After %q became %s", text, after)
		}
	})
}
